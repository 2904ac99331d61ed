"""Every schedule that keeps an order, not a sample: the proof that an order is enough."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import NamedTuple, TypeAlias

from hgeisim.drivers.explored.counterexample.completions import is_caught, shows_at_end
from hgeisim.drivers.explored.counterexample.events import Event, Happened, Progress
from hgeisim.drivers.explored.counterexample.order import Edge
from hgeisim.drivers.explored.model.answer import after
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.strategies.verdict import Schedule

POINTS_MAX = 600_000
"""Points that are looked at; then it is given up."""


class TooMany(Exception):
    """An order leaves too much open to look at every schedule that keeps it."""


class Point(NamedTuple):
    """A state, how often each event of an order came before it, how far contexts are in a wait that
    the order is about, and the edges that are open, as bits."""

    state: bytes
    counts: tuple[int, ...]
    waits: tuple[int, ...]
    open: int

    @property
    def digest(self) -> bytes:
        """A short name: there are very many points, and most are never looked at again."""
        rest = f"{self.counts}{self.waits}{self.open}".encode()
        return blake2b(self.state + rest, digest_size=16).digest()


class Found(NamedTuple):
    """A step that an order allows: its context, whether it shows the finding, where it leads to.

    After one that `fails`, as a user's patch may, nothing comes.
    """

    slot: int
    shows: bool
    there: Point
    fails: bool


class WholeOrder:
    """The points that schedules in an order come to before they show a finding."""

    def __init__(self, space: Space, finding_id: str, order: Iterable[Edge]) -> None:
        self.space, self.finding_id, self.order = space.fine, finding_id, tuple(order)
        self.names = Progress(self.space)
        ends = (event for edge in self.order for event in (edge.first, edge.then))
        self.keys = sorted({(event.slot, event.label) for event in ends})

    def failing(
        self, points_max: int = POINTS_MAX, begins_in: bytes | None = None
    ) -> Schedule | None:
        """A schedule that keeps the order to its end and does not show the finding, if there is
        one, from the start or another state.  Raises `TooMany`."""
        nothing, begin = (0,) * len(self.keys), begins_in or self.space.initial()
        start = Point(begin, nothing, nothing, (1 << len(self.order)) - 1)
        came: Ways = {start.digest: None}
        todo = [(start.digest, start)]
        while todo:
            name, point = todo.pop()
            steps = list(self._steps(point))
            if not steps and not shows_at_end(self.space, point.state, self.finding_id):
                return _way(came, name)
            for slot, shows, there, fails in steps:
                if fails and not shows:
                    return (*_way(came, name), slot)
                if not shows and (its_name := there.digest) not in came:
                    came[its_name] = name, slot
                    todo.append((its_name, there))
            if len(came) > points_max:
                raise TooMany
        return None

    def _steps(self, point: Point) -> Iterator[Found]:
        for slot in range(len(self.space.locations)):
            answer = self.space.ask(slot, point.state)
            if answer.writes is not None:
                then = after(point.state, answer.writes)
                happened = self._happened(slot, point, then)
                if not any(edge.held_by(happened) for edge in self._open(point)):
                    found = (*answer.findings, *self.space.invariants.of(then))
                    shows = any(each.id == self.finding_id for each in found)
                    shows = shows or is_caught(self.space, then, self.finding_id)
                    there = self._there(point, then, happened)
                    yield Found(slot, shows, there, answer.crashes)

    def _happened(self, slot: int, point: Point, then: bytes) -> Happened:
        """A step, with how often it came before as far as the order asks for that."""
        label = self.names.coming(slot, point.state).label
        if (slot, label) not in self.keys:
            return Happened(Event(slot, label, -1))
        place = self.keys.index((slot, label))
        waits = self.names.is_wait(slot, point.state, then)
        event = Event(slot, label, point.counts[place])
        return Happened(event, point.waits[place] + 1 if waits else 0)

    def _there(self, point: Point, then: bytes, happened: Happened) -> Point:
        event, step = happened
        if event.nth < 0:
            return point._replace(state=then)
        place = self.keys.index((event.slot, event.label))
        counts, waits = list(point.counts), list(point.waits)
        counts[place], waits[place] = counts[place] + (not step), step
        freed = sum(1 << i for i, edge in enumerate(self.order) if edge.freed_by(happened))
        return Point(then, tuple(counts), tuple(waits), point.open & ~freed)

    def _open(self, point: Point) -> Iterator[Edge]:
        return (edge for i, edge in enumerate(self.order) if point.open >> i & 1)


Ways: TypeAlias = dict[bytes, tuple[bytes, int] | None]
"""From which point, and by a step of which context, each point was first reached."""


def _way(came: Ways, name: bytes) -> Schedule:
    way = list[int]()
    while (step := came[name]) is not None:
        name, slot = step
        way.append(slot)
    return tuple(reversed(way))
