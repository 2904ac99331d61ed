"""The inner loop of a search in Python: the reference, and what there is without a compiler."""

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

    `parents` has, for each state still to be expanded, what the contexts answered in the state
    before it and what the checks saw there.
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
            for slot, _, _, answer in here:
                if answer in kinds.late:
                    there = self._kinds_in(after(state, answer.writes or ()), kinds, harts)
                    mine = next(each for each in here if each[0] == slot)
                    for other in (each for each in there if each[0] != slot):
                        one, two = (mine, other) if slot < other[0] else (other, mine)
                        self._meet(first, one, two, number)
        return first

    def _kinds_in(self, state: bytes, kinds: Kinds, harts: tuple[list[int], bytes]) -> list[Placed]:
        """The steps that can be made in a state and have a kind: context, kind, HART, answer."""
        places, table = harts
        return [
            (slot, kinds.of[answer], table[256 * slot + state[places[slot]]], answer)
            for slot, answer in enumerate(self.space.answers(state))
            if answer in kinds.of
        ]

    @staticmethod
    def _meet(first: dict[tuple[int, int], int], one: Placed, other: Placed, number: int) -> None:
        """Note the first state of two kinds that are not on one HART."""
        if NOWHERE in (one[2], other[2]) or one[2] != other[2]:
            first.setdefault((one[1], other[1]), number)

    def expand_all(self, states_max: int, progress: Progress | None) -> bool:
        """Expand one after the other."""
        states, space, verdict = self.states, self.space, self.verdict
        budget, last, made = space.system.budget, inf, 0
        for number, state in enumerate(states):
            self.expand(number, state)
            self._expanded = number + 1
            if space.outdated:
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
        """Find the successors of a state; the loop that takes all the time, so calls are few."""
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
        """What the contexts would do in a state, and what the checks see of it."""
        if not number:
            return self.space.answers(state), self.space.invariants.view(state)
        before, view = self.parents.popleft()
        step = before[self.origins[number] % self.width]
        if step.watched:
            view = self.space.invariants.follow(view, step, state)
        return self.space.answers_after(before, step, state), view

    def breaks(self, view: View, step: Answer, there: bytes, number: int, slot: int) -> bool:
        """Note what the checks say about a new state; True when the search turns back at it.

        Where they see what they saw before the step, all was noted when that was new.
        """
        sees = self.space.invariants.follow(view, step, there)
        return sees is not view and self.note(number, sees.findings, slot)
