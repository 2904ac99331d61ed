"""Strategies that draw schedules, and their names.

A sample says nothing about what it has not shown; which one is best depends on the fault.
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
    """A number of schedules, each step by a context drawn from those that can step."""

    below: Below
    schedules: int

    def begin(self) -> bool:
        """One less is left."""
        self.schedules -= 1
        return self.schedules >= 0

    def choose(self, able: Able, last: int | None) -> int | None:
        """Draw one."""
        slots = list(able)
        return slots[self.below(len(slots))] if slots else None


@dataclass
class Priorities:
    """A number of schedules in which the first context of an order steps for as long as it can; one
    in `one_in` is put last after its step."""

    below: Below
    schedules: int
    one_in: int
    order: list[int] = field(default_factory=list)

    def begin(self) -> bool:
        """One less is left; the order is drawn when the contexts are known."""
        self.schedules -= 1
        self.order = []
        return self.schedules >= 0

    def choose(self, able: Able, last: int | None) -> int | None:
        """The first that can step."""
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
    """A number of schedules in which the first context of a random order steps for as long as it
    can; at `depth` - 1 random steps the one that is to step is put behind all others.

    A fault that takes `depth` orders between steps is found by each schedule with a probability of
    at least 1 / (n k^(depth - 1)), for n contexts and k steps (Burckhardt and others, ASPLOS 2010).
    How many steps there are is learned: k is the longest schedule so far.
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
        """One less is left; where its order changes, and by how much, is drawn."""
        self.schedules -= 1
        self.longest, self.steps = max(self.longest, self.steps), 0
        self.order, self.changes, self.lowered = [], {}, {}
        if self.longest:
            ranks = shuffled(self.depth - 1, self.below)
            self.changes = {self.below(self.longest): rank for rank in ranks}
        return self.schedules >= 0

    def choose(self, able: Able, last: int | None) -> int | None:
        """The first that can step."""
        if not self.order:
            self.order = shuffled(len(able.space.locations), self.below)
        slot = self._first(able)
        rank = self.changes.get(self.steps)
        if rank is not None and slot is not None:
            self._lower(slot, rank)
            slot = self._first(able)
        self.steps += 1
        return slot

    def _first(self, able: Able) -> int | None:
        return next((slot for slot in self.order if slot in able), None)

    def _lower(self, slot: int, rank: int) -> None:
        """Put a context behind all that were never lowered, and among those in a drawn order."""
        self.lowered[slot] = rank
        kept = [each for each in self.order if each not in self.lowered]
        self.order = kept + sorted(self.lowered, key=self.lowered.__getitem__)


@dataclass
class PartialOrder:
    """A number of schedules in which each next step of a context has a random priority, drawn anew
    when a step is made that it does not commute with.

    So orders between steps that matter are drawn, however many others there are (Yuan, Yang and
    Gu, "Partial order aware concurrency sampling", CAV 2018).
    """

    below: Below
    schedules: int
    priority: dict[int, int] = field(default_factory=dict)

    def begin(self) -> bool:
        """One less is left."""
        self.schedules -= 1
        self.priority = {}
        return self.schedules >= 0

    def choose(self, able: Able, last: int | None) -> int | None:
        """The one of the highest priority."""
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
    """A number of schedules in which contexts step in turn, each as often as it can up to a limit.

    That is one step in the first schedules, each of which begins with another context, then two,
    and so on.
    """

    schedules: int
    made: int = -1
    in_a_row: int = 0

    def begin(self) -> bool:
        """One less is left."""
        self.made, self.in_a_row = self.made + 1, 0
        return self.made < self.schedules

    def choose(self, able: Able, last: int | None) -> int | None:
        """The same again, or the next one that can step."""
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
    """Makes schedules of one kind."""

    @property
    def name(self) -> str:
        """What it is called."""

    def schedules(self, number: int) -> Strategy:
        """So many schedules."""


class Draw(NamedTuple):
    """How contexts are drawn from a stream: any that can step, or the first in a random order, of
    which one in `one_in` is put last after its step.

    The latter needs few switches to reach most of what can happen (Burckhardt and others, "A
    randomized scheduler with probabilistic guarantees of finding bugs", ASPLOS 2010).
    """

    stream: Stream
    one_in: int = 0

    @property
    def name(self) -> str:
        """What it is called."""
        return "priorities" if self.one_in else "random"

    def schedules(self, number: int) -> Strategy:
        """So many schedules."""
        below = self.stream.below
        return Priorities(below, number, self.one_in) if self.one_in else Random(below, number)


class Drawn(NamedTuple):
    """Schedules of a strategy that draws from a stream."""

    name: str
    strategy: Callable[[Below, int], Strategy]
    stream: Stream

    def schedules(self, number: int) -> Strategy:
        """So many schedules."""
        return self.strategy(self.stream.below, number)


SAMPLERS: dict[str, Callable[[Stream], Sampler]] = {
    "random": Draw,
    "priorities": lambda stream: Draw(stream, RUN_MEAN),
    "pct": partial(Drawn, "pct", Pct),
    "partial-order": partial(Drawn, "partial-order", PartialOrder),
    "round-robin": partial(Drawn, "round-robin", lambda _, number: RoundRobin(number)),
}
"""What draws schedules, by name."""
