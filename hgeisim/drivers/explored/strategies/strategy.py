"""One loop over schedules, and the strategies that choose what steps next.

    for schedule in schedules(space, strategy):
        for step in schedule:
            ...

A strategy says whether there is another schedule to make, and then which of the contexts that can
step does.  A schedule ends where no context can step, where a user's patch fails, or where the
strategy chooses none; one that does not come to an end is cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, Protocol, TypeAlias

from hgeisim.checks.finding import Finding
from hgeisim.drivers.explored.model.cached_step import Answer, after
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.strategies.verdict import Schedule

LONGEST = 3_000
"""Steps of a schedule that does not come to its end."""
Below: TypeAlias = Callable[[int], int]
"""below(n) draws from 0..n-1."""


class Step(NamedTuple):
    """A step that was made: its context, the states before and after it, what the checks found."""

    slot: int
    before: bytes
    after: bytes
    findings: tuple[Finding, ...]


class Able:
    """The contexts that can step in a state; each is asked when a strategy looks at it, once."""

    __slots__ = ("answers", "space", "state")

    def __init__(self, space: Space, state: bytes) -> None:
        self.space, self.state = space, state
        self.answers: dict[int, Answer] = {}

    def answer(self, slot: int) -> Answer:
        """What a context would do."""
        known = self.answers.get(slot)
        if known is None:
            known = self.answers[slot] = self.space.ask(slot, self.state)
        return known

    def __contains__(self, slot: int | None) -> bool:
        return slot is not None and self.answer(slot).writes is not None

    def __iter__(self) -> Iterator[int]:
        return (slot for slot in range(len(self.space.locations)) if slot in self)


class Strategy(Protocol):
    """Decides what happens next."""

    def begin(self) -> bool:
        """Whether there is another schedule; asked before each."""

    def choose(self, able: Able, last: int | None) -> int | None:
        """Which context steps, `last` stepped before (None at the start); None ends the schedule.

        The context has to be able to step.
        """


def schedules(space: Space, strategy: Strategy) -> Iterator[Iterator[Step]]:
    """Yield schedules, each as an iterator over its steps; go through one before the next."""
    while strategy.begin():
        yield _steps(space, strategy)


def _steps(space: Space, strategy: Strategy) -> Iterator[Step]:
    state, last, steps = space.initial(), None, 0
    while (
        steps < LONGEST and (slot := strategy.choose(able := Able(space, state), last)) is not None
    ):
        answer = able.answer(slot)
        before, state, last = state, after(state, answer.writes or ()), slot
        steps += 1
        yield Step(slot, before, state, answer.findings)
        if answer.crashes:
            return


class CannotStep(ValueError):
    """A schedule asks for a step that is not possible: its number and the name of the context."""

    def __init__(self, number: int, context: str) -> None:
        self.number, self.context = number, context
        super().__init__(f"at step {number}, {context} cannot step")


class Given:
    """Given schedules, one after the other.

    `choose` raises `CannotStep` where a context cannot step in its turn; or, if they are `loose`,
    that schedule ends there.
    """

    def __init__(self, given: Iterable[Schedule], loose: bool = False) -> None:
        self.left, self.loose = iter(given), loose
        self.schedule: Schedule = ()
        self.number = 0

    def begin(self) -> bool:
        """Take the next one."""
        following = next(self.left, None)
        self.schedule, self.number = following or (), 0
        return following is not None

    def choose(self, able: Able, last: int | None) -> int | None:
        """The context whose turn it is."""
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
    """Each schedule of another strategy, after the same first steps."""

    def __init__(self, first: Schedule, strategy: Strategy) -> None:
        self.first, self.strategy = Given((), loose=True), strategy
        self.steps = first

    def begin(self) -> bool:
        """The first steps again, if there is another schedule to make."""
        self.first.schedule, self.first.number = self.steps, 0
        return self.strategy.begin()

    def choose(self, able: Able, last: int | None) -> int | None:
        """What the first steps say, then what the other strategy says."""
        slot = self.first.choose(able, last)
        return self.strategy.choose(able, last) if slot is None else slot


class Chain:
    """One strategy after the other."""

    def __init__(self, *strategies: Strategy) -> None:
        self.left = list(strategies)

    def begin(self) -> bool:
        """Whether the present one has another schedule, or one after it has."""
        while self.left and not self.left[0].begin():
            del self.left[0]
        return bool(self.left)

    def choose(self, able: Able, last: int | None) -> int | None:
        """What the present one says."""
        return self.left[0].choose(able, last)
