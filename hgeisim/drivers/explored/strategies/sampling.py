"""The strategies that draw schedules, and the samplers by which the command line names them.

A sample proves nothing about what it has not shown; which strategy is best depends on the fault.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple, Protocol

from hgeisim.drivers.explored.model.cached_step import Answer
from hgeisim.drivers.explored.strategies.strategy import Able, Below, Strategy
from hgeisim.scenario.streams import Stream

RUN_MEAN = 32
"""Steps that a context makes before it is put last, on average."""
DEPTH = 3
"""Orders between two steps that a schedule of `Pct` is meant to get right."""


@dataclass
class Random:
    """Draws each step from the contexts that can step; makes a number of `schedules`."""

    below: Below
    schedules: int

    def begin(self) -> bool:
        """Count down the schedules that are left."""
        self.schedules -= 1
        return self.schedules >= 0

    def choose(self, able: Able, last: int | None) -> int | None:
        """Draw a context."""
        slots = list(able)
        return slots[self.below(len(slots))] if slots else None


@dataclass
class Priorities:
    """Lets the first context of a random order step for as long as it can; one in `one_in` is put
    last after its step."""

    below: Below
    schedules: int
    one_in: int
    order: list[int] = field(default_factory=list)

    def begin(self) -> bool:
        """Count down; the order is drawn once the contexts are known."""
        self.schedules -= 1
        self.order = []
        return self.schedules >= 0

    def choose(self, able: Able, last: int | None) -> int | None:
        """The first context in the order that can step."""
        if not self.order:
            self.order = shuffled(len(able.space.locations), self.below)
        for place, slot in enumerate(self.order):
            if slot in able:
                if not self.below(self.one_in):
                    self.order.append(self.order.pop(place))
                return slot
        return None


@dataclass
class Pct:
    """Lets the first context of a random order step for as long as it can; at `depth` - 1 random
    steps the context that would step is put behind all others.

    A fault that needs `depth` orders between steps is found by each schedule with a probability of
    at least 1 / (n k^(depth - 1)), for n contexts and k steps (Burckhardt and others, ASPLOS 2010).
    The number of steps is learned: k is the length of the longest schedule so far.
    """

    below: Below
    schedules: int
    depth: int = DEPTH
    longest: int = 0
    steps: int = 0
    order: list[int] = field(default_factory=list)
    changes: dict[int, int] = field(default_factory=dict)
    lowered: dict[int, int] = field(default_factory=dict)

    def begin(self) -> bool:
        """Count down, and draw at which steps the order changes, and how."""
        self.schedules -= 1
        self.longest, self.steps = max(self.longest, self.steps), 0
        self.order, self.changes, self.lowered = [], {}, {}
        if self.longest:
            ranks = shuffled(self.depth - 1, self.below)
            self.changes = {self.below(self.longest): rank for rank in ranks}
        return self.schedules >= 0

    def choose(self, able: Able, last: int | None) -> int | None:
        """The first context in the order that can step."""
        if not self.order:
            self.order = shuffled(len(able.space.locations), self.below)
        slot = self._first(able)
        rank = self.changes.get(self.steps)
        if rank is not None and slot is not None:
            # Behind all contexts that were never lowered, and among those by the ranks drawn.
            self.lowered[slot] = rank
            kept = [each for each in self.order if each not in self.lowered]
            self.order = kept + sorted(self.lowered, key=self.lowered.__getitem__)
            slot = self._first(able)
        self.steps += 1
        return slot

    def _first(self, able: Able) -> int | None:
        return next((slot for slot in self.order if slot in able), None)


@dataclass
class PartialOrder:
    """Gives the next step of each context a random priority, drawn anew when a step is made that it
    does not commute with.

    So the orders that matter are drawn, however many others there are (Yuan, Yang and Gu, "Partial
    order aware concurrency sampling", CAV 2018).
    """

    below: Below
    schedules: int
    priority: dict[int, int] = field(default_factory=dict)

    def begin(self) -> bool:
        """Count down; all priorities are drawn anew."""
        self.schedules -= 1
        self.priority = {}
        return self.schedules >= 0

    def choose(self, able: Able, last: int | None) -> int | None:
        """The context whose next step has the highest priority."""
        slots = list(able)
        if not slots:
            return None
        known = self.priority
        now = {slot: known[slot] if slot in known else self.below(1 << 62) for slot in slots}
        chosen = max(slots, key=now.__getitem__)
        step = able.answer(chosen)
        kept = (slot for slot in slots if slot != chosen and commute(able.answer(slot), step))
        self.priority = {slot: now[slot] for slot in kept}
        return chosen


def commute(one: Answer, other: Answer) -> bool:
    """Whether neither of two steps reads or writes what the other writes."""
    touched = one.reads | one.written
    return not touched & other.written and not other.reads & one.written


@dataclass
class RoundRobin:
    """Lets contexts step in turn, each as often as it can up to a limit.

    The limit is one step in the first schedules, which begin with a different context each, then
    two steps, and so on.
    """

    schedules: int
    made: int = -1
    in_a_row: int = 0

    def begin(self) -> bool:
        """Count up to the number of schedules."""
        self.made, self.in_a_row = self.made + 1, 0
        return self.made < self.schedules

    def choose(self, able: Able, last: int | None) -> int | None:
        """The same context again, or the next one that can step."""
        count = len(able.space.locations)
        quantum, first = divmod(self.made, count)
        if last is not None and self.in_a_row <= quantum and last in able:
            self.in_a_row += 1
            return last
        start = first if last is None else last + 1
        self.in_a_row = 1
        return next((s % count for s in range(start, start + count) if s % count in able), None)


def shuffled(count: int, below: Below) -> list[int]:
    """The numbers 0..count-1 in a random order."""
    order = list(range(count))
    for last in range(count - 1, 0, -1):
        other = below(last + 1)
        order[last], order[other] = order[other], order[last]
    return order


class Sampler(Protocol):
    """Makes strategies of one kind, drawing from one stream."""

    @property
    def name(self) -> str:
        """The name on the command line."""

    def schedules(self, number: int) -> Strategy:
        """A strategy that makes a number of schedules."""


class Draw(NamedTuple):
    """The samplers that C can run as well: `Random`, or `Priorities` if `one_in` is not 0.

    `Priorities` needs few switches to reach most of what can happen (Burckhardt and others, "A
    randomized scheduler with probabilistic guarantees of finding bugs", ASPLOS 2010).
    """

    stream: Stream
    one_in: int = 0

    @property
    def name(self) -> str:
        """The name on the command line."""
        return "priorities" if self.one_in else "random"

    def schedules(self, number: int) -> Strategy:
        """A strategy that makes a number of schedules."""
        below = self.stream.below
        return Priorities(below, number, self.one_in) if self.one_in else Random(below, number)


class Drawn(NamedTuple):
    """A sampler of any other strategy that draws from a stream."""

    name: str
    strategy: Callable[[Below, int], Strategy]
    stream: Stream

    def schedules(self, number: int) -> Strategy:
        """A strategy that makes a number of schedules."""
        return self.strategy(self.stream.below, number)


SAMPLERS: dict[str, Callable[[Stream], Sampler]] = {
    "random": Draw,
    "priorities": lambda stream: Draw(stream, RUN_MEAN),
    "pct": partial(Drawn, "pct", Pct),
    "partial-order": partial(Drawn, "partial-order", PartialOrder),
    "round-robin": partial(Drawn, "round-robin", lambda _, number: RoundRobin(number)),
}
"""The samplers by name, each made from a stream."""
