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
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, TypeAlias

from hgeisim.checks.finding import Finding
from hgeisim.drivers.explored.model.answer import Answer, after
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.strategies.verdict import Schedule
from hgeisim.scenario.streams import Stream, Streams

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


class Draw(NamedTuple):
    """How contexts are drawn from a stream: any that can step, or the first in a random order, of
    which one in `one_in` is put last after its step.

    The latter needs few switches to reach most of what can happen: `WarmUp` has the paper.
    """

    stream: Stream
    one_in: int = 0

    def schedules(self, number: int) -> Strategy:
        """So many schedules."""
        below = self.stream.below
        return Priorities(below, number, self.one_in) if self.one_in else Random(below, number)


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


def shuffled(count: int, below: Below) -> list[int]:
    """The numbers 0..count-1 in a random order."""
    order = list(range(count))
    for last in range(count - 1, 0, -1):
        other = below(last + 1)
        order[last], order[other] = order[other], order[last]
    return order


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


WALKS_WITHOUT_NEWS = 250
"""The warm-up ends after this many schedules in a row that taught nothing."""
RUN_MEAN = 32
"""Steps that a context makes before it is put last, on average."""


WARM_UP_LONGEST = 1_000
"""Steps of one of these schedules."""


class WarmUp:
    """Short schedules before a search, to see what contexts write and contend for.

    A search has to begin again when it learns that late; what some hundred schedules have seen, it
    knows before it begins.  They find nothing that the search would miss, and are always the same.

    The first context in a random order goes on for as long as it can, and is put last at random
    points: few switches of context reach most of what can happen (Burckhardt and others, "A
    randomized scheduler with probabilistic guarantees of finding bugs", ASPLOS 2010).
    """

    def __init__(self, space: Space) -> None:
        self.space, self.below = space, Streams(0).stream("scout").below
        self.without_news, self.known = -1, space.lessons
        self.schedule = Priorities(self.below, 1, RUN_MEAN)
        self.steps, self.state = 0, b""

    def begin(self) -> bool:
        """Whether one of the last schedules taught anything; then a new order."""
        news = self.space.lessons != self.known
        self.without_news, self.known = 0 if news else self.without_news + 1, self.space.lessons
        if self.without_news == WALKS_WITHOUT_NEWS:
            return False
        self.steps, self.state = 0, b""
        self.schedule = Priorities(self.below, 1, RUN_MEAN)
        return self.schedule.begin()

    def choose(self, able: Able, last: int | None) -> int | None:
        """The first that can step; none once a step has changed nothing, or after very many."""
        self.steps, before, self.state = self.steps + 1, self.state, able.state
        if able.state == before or self.steps == WARM_UP_LONGEST:
            return None
        return self.schedule.choose(able, last)


def warm_up(space: Space) -> None:
    """Learn steps along short schedules, then forget them, but not who contends for what."""
    space.make_room()
    for schedule in schedules(space, WarmUp(space)):
        for _ in schedule:
            pass
    space.forget()
