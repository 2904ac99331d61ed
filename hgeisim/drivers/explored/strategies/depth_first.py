"""Where memory has run out: on from the states that were not expanded, keeping one way at a time.

Nothing new is remembered, so that the same state may be reached again and again.  A part of the
states has to do, evenly spread, each with as many steps as lead to an end several times.
"""

from __future__ import annotations

from collections.abc import Iterator

from hgeisim.checks.finding import Finding
from hgeisim.drivers.explored.model.answer import after
from hgeisim.drivers.explored.model.budget import Spent
from hgeisim.drivers.explored.model.ends import end_findings
from hgeisim.drivers.explored.model.space import Outgrown
from hgeisim.drivers.explored.strategies.search import Search

SHARE = 2_000
"""Steps for each state from which it goes on."""


def depth_first(search: Search, steps_max: int) -> int:
    """Go on for a number of steps, or until the budget is spent; how many were made.

    What it finds is noted, and counts as what the search has found.
    """
    begin, many = search.expanded, len(search)
    every = max((many - begin) * SHARE // max(steps_max, 1), 1)
    made = 0
    try:
        for number in range(begin, many, every):
            for _ in _Way(search, number).steps():
                made += 1
                search.space.system.budget.spend(1)
                if made % SHARE == 0:
                    break
            if made >= steps_max:
                break
    except (Outgrown, Spent):
        pass  # what was found by then was noted
    return made


class _Way:
    """The way from one state on: the contexts that have stepped, and what each state on it may
    still lead to."""

    def __init__(self, search: Search, number: int) -> None:
        self.search, self.space, self.number = search, search.space, number
        self.slots = list[int]()
        state = search.state(number)
        self.states, self.on_it = [(state, self._contexts())], {state}

    def _contexts(self) -> Iterator[int]:
        return iter(range(self.search.width))

    def steps(self) -> Iterator[None]:
        """Make one step after the other, and go back where there is nothing new."""
        while self.states:
            state, left = self.states[-1]
            slot = next(left, None)
            if slot is None:
                self._back(state)
                continue
            answer = self.space.ask(slot, state)
            if answer.writes is None:
                continue
            yield
            self.slots.append(slot)
            self._note(answer.findings)
            there = after(state, answer.writes)
            if there in self.on_it or self.search.knows(there):
                self.slots.pop()
                continue
            self._note(self.space.invariants.of(there))
            if next(self.space.successors(there), None) is None:
                self._note(end_findings(self.space, there))
            self.states.append((there, self._contexts()))
            self.on_it.add(there)

    def _back(self, state: bytes) -> None:
        self.states.pop()
        self.on_it.discard(state)
        if self.slots:
            self.slots.pop()

    def _note(self, findings: tuple[Finding, ...]) -> None:
        self.search.note(self.number, findings, *self.slots)
