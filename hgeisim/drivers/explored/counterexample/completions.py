"""Completions: the schedules that keep an order to their end, and whether each shows a finding.

`completions` draws a sample of them.  To prove that an order is enough, `WholeOrder` makes every
schedule that keeps it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import NamedTuple, TypeAlias

from hgeisim.checks.catalogue import is_lock_order
from hgeisim.drivers.explored.counterexample.event_order import (
    Contrary,
    Edge,
    Event,
    Happened,
    Keeping,
    Progress,
)
from hgeisim.drivers.explored.model.cached_step import after
from hgeisim.drivers.explored.model.nontermination import endless, no_end_from
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.model.terminal_states import end_findings
from hgeisim.drivers.explored.strategies.lock_walks import shown_alone
from hgeisim.drivers.explored.strategies.strategy import Below, Given, Prefix, Step, schedules
from hgeisim.drivers.explored.strategies.verdict import Schedule


class Completion(NamedTuple):
    """The events of a schedule, up to where it shows the finding, if it does (`shows`)."""

    schedule: Schedule
    run: tuple[Happened, ...]
    shows: bool


def completions(
    space: Space, finding_id: str, edges: Iterable[Edge], number: int, below: Below
) -> Iterator[Completion]:
    """Yield a number of schedules that keep an order, and are contrary in everything else."""
    space = space.fine
    keeping = Keeping(tuple(edges), Contrary(space, below, number), Progress(space))
    for steps in schedules(space, keeping):
        schedule, shows = _followed(space, steps, finding_id)
        yield Completion(schedule, tuple(keeping.run), shows)


def always_shows(space: Space, first: Schedule, finding_id: str, number: int, below: Below) -> bool:
    """Whether a number of schedules with the same first steps all show the finding."""
    space = space.fine
    made = schedules(space, Prefix(first, Contrary(space, below, number)))
    return all(_followed(space, steps, finding_id)[1] for steps in made)


def _followed(space: Space, steps: Iterator[Step], finding_id: str) -> tuple[Schedule, bool]:
    """Make the steps of a schedule until the finding shows; return them, and whether it does."""
    schedule, state = list[int](), space.initial()
    for step in steps:
        schedule.append(step.slot)
        state = step.after
        found = (*step.findings, *space.invariants.of(state))
        shows = any(finding.id == finding_id for finding in found)
        if shows or is_caught(space, state, finding_id):
            return tuple(schedule), True
    if shows_at_end(space, state, finding_id):
        return tuple(schedule), True
    alone = is_lock_order(finding_id) and finding_id in shown_alone(space, tuple(schedule))
    return tuple(schedule), alone


def shows_at_end(space: Space, state: bytes, finding_id: str) -> bool:
    """Whether a state shows a finding because nothing more can happen, or only an endless loop."""
    if next(space.successors(state), None) is None:
        found = end_findings(space, state)
    else:
        if is_caught(space, state, finding_id):
            return True
        found = endless(space, state) if finding_id.startswith("endless:") else ()
    return any(finding.id == finding_id for finding in found)


def is_caught(space: Space, state: bytes, finding_id: str) -> bool:
    """Whether a finding is a livelock and no schedule comes to an end from a state on."""
    livelock = finding_id.startswith("livelock:")
    return livelock and no_end_from(space, space.codebook.decode(state))


def what_happened(space: Space, schedule: Schedule) -> tuple[Happened, ...]:
    """The events of a schedule."""
    progress = Progress(space.fine)
    made = schedules(space.fine, Given([schedule]))
    return tuple(progress.note(s.slot, s.before, s.after) for steps in made for s in steps)


POINTS_MAX = 600_000
"""Points to look at before giving up."""


class TooMany(Exception):
    """An order leaves too many schedules to look at all of them."""


class Point(NamedTuple):
    """A state, how often each event of an order has come before it, how far contexts are in the
    waits of the order, and the edges that are open, as bits."""

    state: bytes
    counts: tuple[int, ...]
    waits: tuple[int, ...]
    open: int

    @property
    def digest(self) -> bytes:
        """A short name; there are very many points, and most are never looked at again."""
        rest = f"{self.counts}{self.waits}{self.open}".encode()
        return blake2b(self.state + rest, digest_size=16).digest()


class AllowedStep(NamedTuple):
    """A step that an order allows: its context, whether it shows the finding, and the point after.

    Nothing comes after a step that `fails`, as a user's patch may.
    """

    slot: int
    shows: bool
    there: Point
    fails: bool


class WholeOrder:
    """The points that the schedules of an order reach before they show a finding."""

    def __init__(self, space: Space, finding_id: str, order: Iterable[Edge]) -> None:
        self.space, self.finding_id, self.order = space.fine, finding_id, tuple(order)
        self.names = Progress(self.space)
        ends = (event for edge in self.order for event in (edge.first, edge.then))
        self.keys = sorted({(event.slot, event.label) for event in ends})

    def failing(
        self, points_max: int = POINTS_MAX, begins_in: bytes | None = None
    ) -> Schedule | None:
        """A schedule that keeps the order to its end without showing the finding, if there is one,
        from the start or another state.  Raises `TooMany`."""
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

    def _steps(self, point: Point) -> Iterator[AllowedStep]:
        for slot in range(len(self.space.locations)):
            answer = self.space.ask(slot, point.state)
            if answer.writes is not None:
                then = after(point.state, answer.writes)
                happened = self._happened(slot, point, then)
                edges = (each for i, each in enumerate(self.order) if point.open >> i & 1)
                if not any(edge.held_by(happened) for edge in edges):
                    found = (*answer.findings, *self.space.invariants.of(then))
                    shows = any(each.id == self.finding_id for each in found)
                    shows = shows or is_caught(self.space, then, self.finding_id)
                    there = self._there(point, then, happened)
                    yield AllowedStep(slot, shows, there, answer.crashes)

    def _happened(self, slot: int, point: Point, then: bytes) -> Happened:
        """The event of a step; its number is -1 if the order is not about it."""
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


Ways: TypeAlias = dict[bytes, tuple[bytes, int] | None]
"""For each point the point and the context from which it was first reached."""


def _way(came: Ways, name: bytes) -> Schedule:
    way = list[int]()
    while (step := came[name]) is not None:
        name, slot = step
        way.append(slot)
    return tuple(reversed(way))
