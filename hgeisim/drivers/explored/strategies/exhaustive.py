"""Search every interleaving, breadth first, each state once: the first way found is shortest.

Where memory has run out, the search goes on depth first from the states that were not expanded,
keeping one way at a time.  Nothing new is remembered, so that the same state may be reached again
and again.  A part of the states has to do, evenly spread, each with as many steps as lead to an end
several times.
"""

from __future__ import annotations

from collections.abc import Iterator

from hgeisim.checks.finding import Finding
from hgeisim.drivers.explored.compiled.tables import tables_of
from hgeisim.drivers.explored.model.budget import Spent
from hgeisim.drivers.explored.model.cached_step import after
from hgeisim.drivers.explored.model.space import Outgrown, Space
from hgeisim.drivers.explored.model.terminal_states import end_findings
from hgeisim.drivers.explored.strategies.compiled import Compiled
from hgeisim.drivers.explored.strategies.plain import Plain
from hgeisim.drivers.explored.strategies.random_walk import warm_up
from hgeisim.drivers.explored.strategies.search import Progress, Search
from hgeisim.drivers.explored.strategies.verdict import Enough, Verdict, never

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


STEPS = 500_000
"""Steps that are made depth first."""


def exhaustive(
    space: Space,
    states_max: int,
    avoid: frozenset[str] = frozenset(),
    progress: Progress | None = None,
    enough: Enough = never,
) -> Verdict:
    """Visit all reachable states, `states_max` at most.

    The verdict is `exhausted` when the queue ran empty, else `bounded`: by the states, by the first
    finding that is `enough`, or by what stopped the search.  With `avoid`, ids of findings, the
    search turns back where one of them shows: what is found then needs none of them.  When memory
    runs out it goes on depth first for a while.
    """
    verdict, search = Verdict(enough=enough), None
    with verdict.kept():
        if space.contention is not None and not space.steps_learned:
            warm_up(space, verdict)
        while not (search := search_of(space, verdict, avoid)).run(states_max, progress):
            space.forget()
            verdict.start_again()
    if verdict.is_out_of_memory and search is not None:
        with verdict.unharmed():
            steps = depth_first(search, STEPS)
            verdict.bound += f", then {steps:,} steps depth first"
    return verdict


def search_of(space: Space, verdict: Verdict, avoid: frozenset[str]) -> Search:
    """A search with the inner loop that there is."""
    tables = tables_of(space)
    return Compiled(tables, verdict, avoid) if tables else Plain(space, verdict, avoid)
