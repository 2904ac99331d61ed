"""An order of events of different contexts, and the schedules that keep it.

An event is a step of a schedule by name: a context, an operation in a function, and for which time.
A number of a step means something in one schedule only.  An event means the same in all schedules
of a space, so an order of events can be kept by others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from hgeisim.drivers.explored.model.automaton import REST
from hgeisim.drivers.explored.model.cached_step import Answer, after
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.strategies.strategy import Able, Below, Strategy


class Event(NamedTuple):
    """Context `slot` completes an operation in a function for the `nth` time, from 0.

    `label` has both, and is empty where an interrupt or a move begins.
    """

    slot: int
    label: str
    nth: int


class Happened(NamedTuple):
    """A step of an event: 0 `waits` completes it, any other is the number of a step in which it
    began to wait, or went on waiting."""

    event: Event
    waits: int = 0


@dataclass
class Progress:
    """How often each context has completed which operation, and in which wait it is."""

    space: Space
    counts: Counter[tuple[int, str]] = field(default_factory=Counter)
    waits: Counter[int] = field(default_factory=Counter)
    labels: dict[tuple[int, int], str] = field(default_factory=dict)

    def coming(self, slot: int, state: bytes) -> Event:
        """The event that the next step of a context belongs to."""
        label = self._label(slot, self._here(slot, state))
        return Event(slot, label, self.counts[slot, label])

    def happens(self, slot: int, before: bytes, after: bytes) -> Happened:
        """What a step from one state to the next one is, or would be."""
        event = self.coming(slot, before)
        return Happened(event, self.waits[slot] + 1 if self.is_wait(slot, before, after) else 0)

    def is_wait(self, slot: int, before: bytes, after: bytes) -> bool:
        """Whether a step completes nothing."""
        nodes = self.space.system.automata[slot].nodes
        node, there = nodes[self._here(slot, before)], nodes[self._here(slot, after)]
        if node is None or there is None:
            return False
        return there.waiting and there.op == node.op

    def note(self, slot: int, before: bytes, after: bytes) -> Happened:
        """Count a step that was made."""
        happened = self.happens(slot, before, after)
        self.waits[slot] = happened.waits
        if not happened.waits:
            self.counts[slot, happened.event.label] += 1
        return happened

    def start_again(self) -> None:
        """Forget the steps, but not what they are called."""
        self.counts.clear()
        self.waits.clear()

    def _here(self, slot: int, state: bytes) -> int:
        return self.space.codebook.value(self.space.locations[slot], state)

    def _label(self, slot: int, here: int) -> str:
        label = self.labels.get((slot, here))
        if label is None:
            node = self.space.system.automata[slot].nodes[here]
            label = "" if here == REST or node is None else f"{node.functions} {node.op}"
            self.labels[slot, here] = label
        return label


class Edge(NamedTuple):
    """`first` comes before `then`.

    With `enough` above 0, it is enough that `first` has made so many steps of its wait.  `then` may
    make `free` steps of its wait before, and must not go further.
    """

    first: Event
    then: Event
    enough: int = 0
    free: int = 0

    def held_by(self, happened: Happened) -> bool:
        """Whether a step is one that has to wait for `first`."""
        event, waits = happened
        return event == self.then and (not waits or waits > self.free)

    def freed_by(self, happened: Happened) -> bool:
        """Whether a step is what `then` waits for."""
        event, waits = happened
        return event == self.first and (not waits or waits >= self.enough > 0)


class Allowed(Able):
    """The contexts that can step and whose next event may come."""

    __slots__ = ("able", "keeping")

    def __init__(self, able: Able, keeping: Keeping) -> None:
        super().__init__(able.space, able.state)
        self.able, self.keeping = able, keeping

    def answer(self, slot: int) -> Answer:
        """What a context would do."""
        return self.able.answer(slot)

    def __contains__(self, slot: int | None) -> bool:
        return slot in self.able and slot is not None and self.keeping.allows(slot, self.able)

    def __iter__(self) -> Iterator[int]:
        return (slot for slot in range(len(self.space.locations)) if slot in self)


@dataclass
class Keeping:
    """Each schedule of another strategy, kept in an order; `run` has what happened so far.

    The other strategy is asked among the contexts that the order allows.
    """

    edges: tuple[Edge, ...]
    strategy: Strategy
    progress: Progress
    run: list[Happened] = field(default_factory=list)
    open: list[Edge] = field(default_factory=list)
    state: bytes = b""

    def begin(self) -> bool:
        """Whether the other strategy has another schedule; nothing has happened in it."""
        self.progress.start_again()
        self.run, self.open, self.state = [], list(self.edges), b""
        return self.strategy.begin()

    def choose(self, able: Able, last: int | None) -> int | None:
        """What the other strategy says."""
        self.came_to(able.state, last)
        return self.strategy.choose(Allowed(able, self), last)

    def came_to(self, state: bytes, last: int | None) -> None:
        """Note the step that led to a state."""
        if last is not None:
            happened = self.progress.note(last, self.state, state)
            self.run.append(happened)
            self.open = [edge for edge in self.open if not edge.freed_by(happened)]
        self.state = state

    def allows(self, slot: int, able: Able) -> bool:
        """Whether the order lets a context make its next step."""
        held = [edge for edge in self.open if edge.then.slot == slot]
        if not held:
            return True
        happened = self.progress.happens(slot, able.state, _after(able, slot))
        return not any(edge.held_by(happened) for edge in held)


def _after(able: Able, slot: int) -> bytes:
    return after(able.state, able.answer(slot).writes or ())


RUN_MEANS = (2, 8, 32, 128, 100_000)
"""Steps that a context makes before it is put last, on average; drawn for each schedule."""
LONGEST = 2_000
"""Steps of one of these schedules."""


@dataclass
class Contrary:
    """A number of schedules in random orders of contexts, with many switches of context or few.

    The first in the order that can step does, and is put last at random points.
    """

    space: Space
    below: Below
    schedules: int
    order: list[int] = field(default_factory=list)
    mean: int = 1
    steps: int = 0

    def begin(self) -> bool:
        """One less is left; a new order."""
        self.schedules -= 1
        self.steps, self.mean = 0, RUN_MEANS[self.below(len(RUN_MEANS))]
        self.order = order = list(range(len(self.space.locations)))
        for last in range(len(order) - 1, 0, -1):
            other = self.below(last + 1)
            order[last], order[other] = order[other], order[last]
        return self.schedules >= 0

    def choose(self, able: Able, last: int | None) -> int | None:
        """The first that can step."""
        self.steps += 1
        if self.steps == LONGEST:
            return None
        for place, slot in enumerate(self.order):
            if slot in able:
                if not self.below(self.mean):
                    self.order.append(self.order.pop(place))
                return slot
        return None
