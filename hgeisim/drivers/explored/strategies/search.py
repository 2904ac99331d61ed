"""The base of searches over all interleavings, whether their inner loop is in C or in Python."""

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
"""Called now and then with the number of states seen and of those still to expand."""
PROGRESS_EVERY = 4096
NOWHERE = 255
"""The HART of an interrupt, which may run on top of another context of its HART."""


class Kinds(NamedTuple):
    """A classification of steps: the kind of each answer, counted from 1, and the number of kinds
    including 0.  The accesses of `late` steps are still to come when the steps are made."""

    of: Mapping[Answer, int]
    numbers: int
    late: Set[Answer]


class Search(ABC):
    """The states reached so far, numbered in the order in which they were reached and expanded.

    `origin` encodes how a state was reached first: the number of its predecessor times the number
    of contexts, plus the context that stepped.
    """

    def __init__(self, space: Space, verdict: Verdict, avoid: frozenset[str]) -> None:
        self.space, self.verdict, self.avoid = space, verdict, avoid
        self.width = len(space.locations)

    @abstractmethod
    def expand_all(self, states_max: int, progress: Progress | None) -> bool:
        """Expand all states in a space that has room for them; return whether that was valid.

        After learning a step that makes the search invalid, keep going for a while.
        """

    @abstractmethod
    def __len__(self) -> int:
        """How many states were reached."""

    @property
    @abstractmethod
    def expanded(self) -> int:
        """How many states were expanded; they have the numbers below this one."""

    @abstractmethod
    def knows(self, state: bytes) -> bool:
        """Whether a state was reached."""

    @abstractmethod
    def state(self, number: int) -> bytes:
        """A state by its number."""

    @abstractmethod
    def origin(self, number: int) -> int:
        """The predecessor and the context that led to a state first, see the class."""

    @property
    @abstractmethod
    def dead_ends(self) -> Sequence[int]:
        """The states from which every step led to a known state; kept only for users' patches,
        whose contexts may loop for ever."""

    @property
    @abstractmethod
    def returns(self) -> Sequence[int]:
        """The states from which every step led to one that was reached earlier."""

    @abstractmethod
    def pairs(self, kinds: Kinds, harts: tuple[list[int], bytes]) -> dict[tuple[int, int], int]:
        """For each pair of kinds the first state in which contexts on two HARTs can make steps of
        these kinds, the lower slot first; a late step may also be made before the other one.
        `harts` are as in `side_by_side.harts`."""

    def run(self, states_max: int, progress: Progress | None) -> bool:
        """Expand all states; return False after learning a step that makes the search invalid.

        It keeps going for a while then, so that the next search starts with more known steps.
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
        """Find contexts that loop for ever, in users' patches only: it takes time, and no shipped
        kernel has any."""
        runs = LoneRuns(self.space)
        for number in self.dead_ends:
            if runs.all_go_round(self.state(number)):
                self.note(number, endless(self.space, self.state(number)))

    def look_for_livelocks(self) -> None:
        """Find contexts that keep each other looping, once all states are known.

        In a set of states that no step leaves, the state that was reached last has only steps to
        earlier ones, so looking at `returns` is enough.
        """
        ways, known = WaysOut(self.space), set[bytes]()
        for number in reversed(self.returns):
            state = self.state(number)
            if not ways.has_one(state) and state not in known:
                there = Round(self.space, state)
                if there.is_closed and there.slots:
                    known.update(there.states)
                    schedule = self.space.in_full([*self.slots(number), *there.schedule()])
                    for finding in findings_in_round(self.space, schedule):
                        self.verdict.note(finding, schedule)

    def note(self, number: int, findings: tuple[Finding, ...], *last: int) -> bool:
        """Keep the new ones among some findings; return True if one is to be avoided."""
        if self.avoid and any(finding.id in self.avoid for finding in findings):
            return True
        for finding in findings:
            if finding.id not in self.verdict.counterexamples:
                with self.space.searched_again():
                    self.verdict.note(finding, self.schedule(number, *last))
        return False

    def schedule(self, number: int, *last: int) -> Schedule:
        """The way to a state and a last step, in single operations."""
        return self.space.in_full([*self.slots(number), *last])

    def slots(self, number: int) -> list[int]:
        """The contexts whose steps led to a state."""
        return way_to(number, self.origin, self.width)


def way_to(number: int, origin: Callable[[int], int], width: int) -> list[int]:
    """The contexts whose steps lead from number 0 to a `number`: `origin` gives the number before
    it times the `width`, plus the context that stepped."""
    slots = list[int]()
    while number:
        number, slot = divmod(origin(number), width)
        slots.append(slot)
    return slots[::-1]
