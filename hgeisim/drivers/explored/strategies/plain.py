"""The inner loop of a search in Python: the reference for C, and its substitute where C was not
built."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Sequence
from itertools import combinations
from math import inf
from typing import TypeAlias

from hgeisim.drivers.explored.model.cached_step import Answer, after
from hgeisim.drivers.explored.model.invariants import View
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.model.terminal_states import end_findings
from hgeisim.drivers.explored.strategies.search import (
    NOWHERE,
    PROGRESS_EVERY,
    Kinds,
    Progress,
    Search,
)
from hgeisim.drivers.explored.strategies.verdict import BOUNDED, Verdict, many

Placed: TypeAlias = tuple[int, int, int, Answer]


class Plain(Search):
    """The states reached so far, in a list.

    `parents` has for each state still to be expanded the answers of the contexts in the state
    before it, and the view of the checks there.
    """

    def __init__(self, space: Space, verdict: Verdict, avoid: frozenset[str]) -> None:
        super().__init__(space, verdict, avoid)
        start = space.initial()
        self.states, self.seen, self.origins = [start], {start: 0}, array("Q", [0])
        self.parents = deque[tuple[list[Answer], View]]()
        self._expanded = 0
        self._dead_ends, self._returns = array("Q"), array("Q")

    def __len__(self) -> int:
        return len(self.states)

    @property
    def expanded(self) -> int:
        """How many states were expanded."""
        return self._expanded

    def knows(self, state: bytes) -> bool:
        """Whether a state was reached."""
        return state in self.seen

    def state(self, number: int) -> bytes:
        """A state by its number."""
        return self.states[number]

    def origin(self, number: int) -> int:
        """How a state was reached first."""
        return self.origins[number]

    @property
    def dead_ends(self) -> Sequence[int]:
        """The states from which every step led to a known one."""
        return self._dead_ends

    @property
    def returns(self) -> Sequence[int]:
        """The states from which every step led to an earlier one."""
        return self._returns

    def pairs(self, kinds: Kinds, harts: tuple[list[int], bytes]) -> dict[tuple[int, int], int]:
        """The first state of each pair of kinds."""
        first: dict[tuple[int, int], int] = {}
        for number, state in enumerate(self.states[: self._expanded]):
            here = self._kinds_in(state, kinds, harts)
            for one, other in combinations(here, 2):
                self._meet(first, one, other, number)
            for mine in here:
                if mine[3] in kinds.late:
                    there = self._kinds_in(after(state, mine[3].writes or ()), kinds, harts)
                    for other in (each for each in there if each[0] != mine[0]):
                        one, two = (mine, other) if mine[0] < other[0] else (other, mine)
                        self._meet(first, one, two, number)
        return first

    def _kinds_in(self, state: bytes, kinds: Kinds, harts: tuple[list[int], bytes]) -> list[Placed]:
        """The possible steps of a state that have a kind: context, kind, HART, answer."""
        places, table = harts
        return [
            (slot, kinds.of[answer], table[256 * slot + state[places[slot]]], answer)
            for slot, answer in enumerate(self.space.answers(state))
            if answer in kinds.of
        ]

    @staticmethod
    def _meet(first: dict[tuple[int, int], int], one: Placed, other: Placed, number: int) -> None:
        """Note the first state of two kinds of step, unless both are on one HART."""
        if NOWHERE in (one[2], other[2]) or one[2] != other[2]:
            first.setdefault((one[1], other[1]), number)

    def expand_all(self, states_max: int, progress: Progress | None) -> bool:
        """Expand the states in order."""
        states, space, verdict = self.states, self.space, self.verdict
        budget, last, made = space.system.budget, inf, 0
        for number, state in enumerate(states):  # `expand` appends to the list
            self.expand(number, state)
            self._expanded = number + 1
            if space.outdated:
                # The search is invalid, but goes on for a while to learn more steps for the next.
                last = min(last, number + number // 4 + 1000)
                if number >= last:
                    break
            queued = len(states) - number - 1
            if number % PROGRESS_EVERY == 0:
                budget.look_at_memory()
                if progress:
                    progress(len(states), queued)
            if queued:
                budget.spend(verdict.transitions - made)
                made = verdict.transitions
            if queued and len(states) >= states_max:
                verdict.coverage, verdict.bound = BOUNDED, many(states_max, "state")
                break
        return not space.outdated

    def expand(self, number: int, state: bytes) -> None:
        """Find the successors of a state.

        This loop takes all the time of a search, so it avoids calls: the body of `after` stands
        here once more.
        """
        answers, view = here = self.look(number, state)
        first, seen, states, steps = number * self.width, self.seen, self.states, 0
        known, onward = 0, False
        for slot, step in enumerate(answers):
            if step.writes is None:
                continue
            steps += 1
            if step.findings and self.note(number, step.findings, slot):
                continue
            cells = bytearray(state)
            for place, code in step.writes:
                cells[place] = code
            there = bytes(cells)
            if there in seen:
                known += 1
                onward = onward or seen[there] > number
                continue
            # A step that writes nothing watched leaves the view of the checks as it is.
            if step.watched and self.breaks(view, step, there, number, slot):
                continue
            seen[there] = len(states)
            states.append(there)
            self.origins.append(first + slot)
            self.parents.append(here)
        self.verdict.transitions += steps
        if known == steps > 0:
            if not onward:
                self._returns.append(number)
            if self.space.system.own_patch:
                self._dead_ends.append(number)
        elif not steps:
            self.verdict.ends += 1
            self.note(number, end_findings(self.space, state))

    def look(self, number: int, state: bytes) -> tuple[list[Answer], View]:
        """The answers of the contexts in a state, and the view that the checks have of it."""
        if not number:
            return self.space.answers(state), self.space.invariants.view(state)
        before, view = self.parents.popleft()
        step = before[self.origins[number] % self.width]
        if step.watched:
            view = self.space.invariants.follow(view, step, state)
        return self.space.answers_after(before, step, state), view

    def breaks(self, view: View, step: Answer, there: bytes, number: int, slot: int) -> bool:
        """Note the findings of a new state; True if the search has to turn back there.

        If the view is the one from before the step, its findings were noted when it was new.
        """
        sees = self.space.invariants.follow(view, step, there)
        return sees is not view and self.note(number, sees.findings, slot)
