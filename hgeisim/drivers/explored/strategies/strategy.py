"""The strategy protocol, and the one loop that drives every strategy.

    for schedule in schedules(space, strategy):
        for step in schedule:
            ...

A strategy decides whether to begin another schedule, and then which context makes each step.  A
schedule ends where no context can step, where a user's patch fails, or where the strategy chooses
none; a schedule without an end is cut off after `LONGEST` steps.

`Given` follows schedules that exist already; `Prefix` and `Chain` combine strategies.  Those that
draw schedules are in sampling.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, Protocol, TypeAlias

from hgeisim.checks.finding import Finding
from hgeisim.drivers.explored.model.cached_step import Answer, after
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.strategies.verdict import Schedule

LONGEST = 3_000
"""Steps after which a schedule is cut off."""
Below: TypeAlias = Callable[[int], int]
"""below(n) draws from 0..n-1."""


class Step(NamedTuple):
    """One step of a schedule: its context, the states before and after it, and its findings."""

    slot: int
    before: bytes
    after: bytes
    findings: tuple[Finding, ...]


class Able:
    """The contexts that can step in a state, as a container of slots.

    A context is asked only when a strategy looks at it, and only once.
    """

    __slots__ = ("answers", "space", "state")

    def __init__(self, space: Space, state: bytes) -> None:
        self.space, self.state = space, state
        self.answers: dict[int, Answer] = {}

    def answer(self, slot: int) -> Answer:
        """The step that a context would make."""
        known = self.answers.get(slot)
        if known is None:
            known = self.answers[slot] = self.space.ask(slot, self.state)
        return known

    def __contains__(self, slot: int | None) -> bool:
        return slot is not None and self.answer(slot).writes is not None

    def __iter__(self) -> Iterator[int]:
        return (slot for slot in range(len(self.space.locations)) if slot in self)


class Strategy(Protocol):
    """Decides which context steps next, schedule after schedule."""

    def begin(self) -> bool:
        """Begin another schedule, if there is one; called before each schedule."""

    def choose(self, able: Able, last: int | None) -> int | None:
        """Return the context that steps next, one of `able`; None ends the schedule.

        `last` is the context that stepped before, None at the start.
        """


def schedules(space: Space, strategy: Strategy) -> Iterator[Iterator[Step]]:
    """Yield schedules as iterators over their steps; exhaust each before taking the next."""
    while strategy.begin():
        yield _steps(space, strategy)


def _steps(space: Space, strategy: Strategy) -> Iterator[Step]:
    state, last = space.initial(), None
    for _ in range(LONGEST):
        able = Able(space, state)
        slot = strategy.choose(able, last)
        if slot is None:
            return
        answer = able.answer(slot)
        before, state, last = state, after(state, answer.writes or ()), slot
        yield Step(slot, before, state, answer.findings)
        if answer.crashes:
            return


class CannotStep(ValueError):
    """A schedule needs a step that is impossible: the step's number and the context's name."""

    def __init__(self, number: int, context: str) -> None:
        self.number, self.context = number, context
        super().__init__(f"at step {number}, {context} cannot step")


class Given:
    """Follows given schedules, one after the other.

    Where a context cannot make its step, `choose` raises `CannotStep`; with `loose`, that schedule
    just ends there.
    """

    def __init__(self, given: Iterable[Schedule], loose: bool = False) -> None:
        self.left, self.loose = iter(given), loose
        self.schedule: Schedule = ()
        self.number = 0

    def begin(self) -> bool:
        """Take the next given schedule."""
        following = next(self.left, None)
        self.schedule, self.number = following or (), 0
        return following is not None

    def choose(self, able: Able, last: int | None) -> int | None:
        """The context that the schedule names."""
        if self.number == len(self.schedule):
            return None
        slot = self.schedule[self.number]
        self.number += 1
        automata = able.space.system.automata
        if slot < len(automata) and slot in able:
            return slot
        if self.loose:
            return None
        name = automata[slot].name if slot < len(automata) else f"context {slot}"
        raise CannotStep(self.number, name)


class Prefix:
    """Makes the same first steps in each schedule, then follows another strategy."""

    def __init__(self, first: Schedule, strategy: Strategy) -> None:
        self.first, self.strategy = Given((), loose=True), strategy
        self.steps = first

    def begin(self) -> bool:
        """Start with the first steps again, if the other strategy has another schedule."""
        self.first.schedule, self.first.number = self.steps, 0
        return self.strategy.begin()

    def choose(self, able: Able, last: int | None) -> int | None:
        """Follow the first steps, then the other strategy."""
        slot = self.first.choose(able, last)
        return self.strategy.choose(able, last) if slot is None else slot


class Chain:
    """Runs strategies one after the other."""

    def __init__(self, *strategies: Strategy) -> None:
        self.left = list(strategies)

    def begin(self) -> bool:
        """Drop the strategies that have no schedule left; True if one has."""
        while self.left and not self.left[0].begin():
            del self.left[0]
        return bool(self.left)

    def choose(self, able: Able, last: int | None) -> int | None:
        """Let the present strategy choose."""
        return self.left[0].choose(able, last)
