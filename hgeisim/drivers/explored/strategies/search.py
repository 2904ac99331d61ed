"""What a search of all interleavings keeps, however its inner loop is made."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence, Set
from typing import NamedTuple

from hgeisim.checks.finding import Finding
from hgeisim.drivers.explored.model.cached_step import Answer
from hgeisim.drivers.explored.model.nontermination import (
    LoneRuns,
    Round,
    WaysOut,
    endless,
    findings_in_round,
)
from hgeisim.drivers.explored.model.space import Outgrown, Space
from hgeisim.drivers.explored.strategies.verdict import BOUNDED, Schedule, Verdict

Progress = Callable[[int, int], None]
"""Told (states seen, states still to expand) now and then."""
PROGRESS_EVERY = 4096
NOWHERE = 255
"""The HART of a context that may be on top of another one on its HART."""


class Kinds(NamedTuple):
    """The kinds of some steps: the number of each, from 1, and how many numbers there are with 0.
    What `late` steps access is still to come when they are made."""

    of: Mapping[Answer, int]
    numbers: int
    late: Set[Answer]


class Search(ABC):
    """The states reached so far, numbered in the order in which they were reached and expanded.

    `origin` says how a state was reached first: the number of the state before it times the number
    of contexts, plus the context that stepped.
    """

    def __init__(self, space: Space, verdict: Verdict, avoid: frozenset[str]) -> None:
        self.space, self.verdict, self.avoid = space, verdict, avoid
        self.width = len(space.locations)

    @abstractmethod
    def expand_all(self, states_max: int, progress: Progress | None) -> bool:
        """Expand all states, in a space that has room for them; tell whether that was valid.

        Where a step was learned that makes it invalid, go on for a while.
        """

    @abstractmethod
    def __len__(self) -> int:
        """How many states were reached."""

    @property
    @abstractmethod
    def expanded(self) -> int:
        """How many states were expanded: those with the numbers below that."""

    @abstractmethod
    def knows(self, state: bytes) -> bool:
        """Whether a state was reached."""

    @abstractmethod
    def state(self, number: int) -> bytes:
        """A state by its number."""

    @abstractmethod
    def origin(self, number: int) -> int:
        """How a state was reached first."""

    @property
    @abstractmethod
    def dead_ends(self) -> Sequence[int]:
        """The states from which every step led to a state seen before; kept where contexts of a
        user's patch may go round for ever."""

    @property
    @abstractmethod
    def returns(self) -> Sequence[int]:
        """The states from which every step led to one that was reached earlier."""

    @abstractmethod
    def pairs(self, kinds: Kinds, harts: tuple[list[int], bytes]) -> dict[tuple[int, int], int]:
        """The first state in which two contexts, on two HARTs, can make steps of two kinds, the
        earlier context the first; or one of them after the other, which is late.  `harts` as in
        `side_by_side.harts`."""

    def run(self, states_max: int, progress: Progress | None) -> bool:
        """Expand all states; False when a step was learned that makes the search invalid.

        It goes on for a while then: what else it learns need not be learned by another search.
        """
        try:
            if self.note(0, self.space.invariants.of(self.space.initial())):
                return True  # what is to be avoided is there from the start
            if not self.expand_all(states_max, progress):
                return False
            self.look_for_loops()
            if self.verdict.coverage != BOUNDED and not self.avoid:
                self.look_for_livelocks()
        except Outgrown:
            return False
        else:
            return True
        finally:
            self.verdict.states = len(self)

    def look_for_loops(self) -> None:
        """Find contexts that go round for ever; shipped kernels are not looked at, for the time it
        takes."""
        runs = LoneRuns(self.space)
        for number in self.dead_ends:
            if runs.all_go_round(self.state(number)):
                self.note(number, endless(self.space, self.state(number)))

    def look_for_livelocks(self) -> None:
        """Find contexts that go round for each other, once all states are known.

        Among states that none leaves, the last one that was reached leads back only.
        """
        ways, known = WaysOut(self.space), set[bytes]()
        for number in reversed(self.returns):
            state = self.state(number)
            if not ways.has_one(state) and state not in known:
                there = Round(self.space, state)
                if there.is_closed and there.slots:
                    known.update(there.states)
                    self.note_livelock([*self.slots(number), *there.schedule()])

    def note_livelock(self, slots: list[int]) -> None:
        """Keep one, with a schedule that goes round one time."""
        schedule = self.space.in_full(slots)
        for finding in findings_in_round(self.space, schedule):
            self.verdict.note(finding, schedule)

    def note(self, number: int, findings: tuple[Finding, ...], *last: int) -> bool:
        """Keep what is new among the findings; True when one to avoid is among them."""
        if self.avoid and any(finding.id in self.avoid for finding in findings):
            return True
        for finding in findings:
            if finding.id not in self.verdict.counterexamples:
                with self.space.searched_again():
                    self.verdict.note(finding, self.schedule(number, *last))
        return False

    def schedule(self, number: int, *last: int) -> Schedule:
        """How a state was reached, and a last step, with each operation told."""
        return self.space.in_full([*self.slots(number), *last])

    def slots(self, number: int) -> list[int]:
        """The contexts whose steps led to a state."""
        return way_to(number, self.origin, self.width)


def way_to(number: int, origin: Callable[[int], int], width: int) -> list[int]:
    """The contexts whose steps led to what has a number, from 0: `origin` is the number before it
    times the `width`, plus the context that stepped."""
    slots = list[int]()
    while number:
        number, slot = divmod(origin(number), width)
        slots.append(slot)
    return slots[::-1]
