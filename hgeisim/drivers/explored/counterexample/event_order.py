"""An order of events of different contexts, and the strategy that keeps it.

An event names a step of a schedule: a context, an operation in a function, and how often that came
before.  The number of a step means something in one schedule only; an event means the same in all
schedules of a space, so other schedules can keep an order of events.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from hgeisim.drivers.explored.model.cached_step import Answer, after
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.strategies.sampling import Priorities, shuffled
from hgeisim.drivers.explored.strategies.strategy import Able, Below, Strategy


class Event(NamedTuple):
    """Context `slot` completes an operation in a function for the `nth` time, from 0.

    `label` has both, and is empty where an interrupt or a move begins.
    """

    slot: int
    label: str
    nth: int


class Happened(NamedTuple):
    """A step of an event: with 0 `waits` it completes the event, else it is the step of that number
    in its wait."""

    event: Event
    waits: int = 0


@dataclass
class Progress:
    """How often each context has completed each operation, and how far it is in a wait."""

    space: Space
    counts: Counter[tuple[int, str]] = field(default_factory=Counter)
    waits: Counter[int] = field(default_factory=Counter)
    labels: dict[tuple[int, int], str] = field(default_factory=dict)

    def coming(self, slot: int, state: bytes) -> Event:
        """The event that the next step of a context belongs to."""
        here = self.space.codebook.value(self.space.locations[slot], state)
        label = self.labels.get((slot, here))
        if label is None:
            node = self.space.node(slot, state)
            label = self.labels[slot, here] = f"{node.functions} {node.op}" if node else ""
        return Event(slot, label, self.counts[slot, label])

    def happens(self, slot: int, before: bytes, after: bytes) -> Happened:
        """The event of a step from one state to the next."""
        event = self.coming(slot, before)
        return Happened(event, self.waits[slot] + 1 if self.is_wait(slot, before, after) else 0)

    def is_wait(self, slot: int, before: bytes, after: bytes) -> bool:
        """Whether a step completes nothing."""
        node, there = self.space.node(slot, before), self.space.node(slot, after)
        return node is not None and there is not None and there.waits_at(node.op)

    def note(self, slot: int, before: bytes, after: bytes) -> Happened:
        """Count a step that was made."""
        happened = self.happens(slot, before, after)
        self.waits[slot] = happened.waits
        if not happened.waits:
            self.counts[slot, happened.event.label] += 1
        return happened

    def start_again(self) -> None:
        """Forget the steps, but not their labels."""
        self.counts.clear()
        self.waits.clear()


class Edge(NamedTuple):
    """`first` comes before `then`.

    With `enough` above 0, that many steps in the wait of `first` suffice.  `then` may make `free`
    steps in its wait before that, but no more.
    """

    first: Event
    then: Event
    enough: int = 0
    free: int = 0

    def held_by(self, happened: Happened) -> bool:
        """Whether a step has to wait for `first`."""
        event, waits = happened
        return event == self.then and (not waits or waits > self.free)

    def freed_by(self, happened: Happened) -> bool:
        """Whether a step is the one for which `then` waits."""
        event, waits = happened
        return event == self.first and (not waits or waits >= self.enough > 0)


class Allowed(Able):
    """The contexts that can step and whose next event the order allows."""

    __slots__ = ("able", "keeping")

    def __init__(self, able: Able, keeping: Keeping) -> None:
        super().__init__(able.space, able.state)
        self.able, self.keeping = able, keeping

    def answer(self, slot: int) -> Answer:
        """The step that a context would make."""
        return self.able.answer(slot)

    def __contains__(self, slot: int | None) -> bool:
        return slot in self.able and slot is not None and self.keeping.allows(slot, self.able)


@dataclass
class Keeping:
    """Keeps another strategy to an order; `run` has the events of the schedule so far.

    The other strategy chooses among the contexts that the order allows.
    """

    edges: tuple[Edge, ...]
    strategy: Strategy
    progress: Progress
    run: list[Happened] = field(default_factory=list)
    open: list[Edge] = field(default_factory=list)
    state: bytes = b""

    def begin(self) -> bool:
        """Begin another schedule of the other strategy; nothing has happened in it."""
        self.progress.start_again()
        self.run, self.open, self.state = [], list(self.edges), b""
        return self.strategy.begin()

    def choose(self, able: Able, last: int | None) -> int | None:
        """Note the last step, and let the other strategy choose."""
        if last is not None:
            happened = self.progress.note(last, self.state, able.state)
            self.run.append(happened)
            self.open = [edge for edge in self.open if not edge.freed_by(happened)]
        self.state = able.state
        return self.strategy.choose(Allowed(able, self), last)

    def allows(self, slot: int, able: Able) -> bool:
        """Whether the order lets a context make its next step."""
        held = [edge for edge in self.open if edge.then.slot == slot]
        if not held:
            return True
        there = after(able.state, able.answer(slot).writes or ())
        happened = self.progress.happens(slot, able.state, there)
        return not any(edge.held_by(happened) for edge in held)


RUN_MEANS = (2, 8, 32, 128, 100_000)
"""Steps that a context makes before it is put last, on average; drawn for each schedule."""
LONGEST = 2_000
"""Steps of one of these schedules at most."""


class Contrary(Priorities):
    """Random priorities, with many context switches in one schedule and few in another."""

    def __init__(self, space: Space, below: Below, schedules: int) -> None:
        super().__init__(below, schedules, 1)
        self.contexts, self.steps = len(space.locations), 0

    def begin(self) -> bool:
        """Count down, and draw how often contexts change, and their order."""
        self.schedules -= 1
        self.steps, self.one_in = 0, RUN_MEANS[self.below(len(RUN_MEANS))]
        self.order = shuffled(self.contexts, self.below)
        return self.schedules >= 0

    def choose(self, able: Able, last: int | None) -> int | None:
        """The first context in the order that can step, in a schedule that is not too long."""
        self.steps += 1
        return None if self.steps == LONGEST else super().choose(able, last)
