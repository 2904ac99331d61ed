"""Exhaustive search: every interleaving, breadth first, each state once, so the first way that is
found to a finding is the shortest.

When memory runs out, the search goes on depth first from the states that were not expanded, keeping
one way at a time.  It remembers no new state, so it may reach the same one again and again.  It
starts from an evenly spread part of those states, and makes from each as many steps as reach an end
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

STEPS_MAX = 500_000
"""Steps that are made depth first."""
SHARE = 2_000
"""Steps made depth first from each state."""


def exhaustive(
    space: Space,
    states_max: int,
    avoid: frozenset[str] = frozenset(),
    progress: Progress | None = None,
    enough: Enough = never,
) -> Verdict:
    """Visit all reachable states, at most `states_max`.

    The verdict is exhausted when the queue ran empty, else bounded: by the number of states, by the
    first finding that is `enough`, or by whatever stopped the search.  The search turns back
    wherever a finding shows whose id is in `avoid`, so what it finds then needs none of these.
    When memory runs out it goes on depth first for a while.
    """
    verdict, search = Verdict(enough=enough), None
    with verdict.kept():
        warm_up(space, verdict)
        for search in searches(space, verdict, avoid):
            if search.run(states_max, progress):
                break
    if verdict.is_out_of_memory and search is not None:
        with verdict.unharmed():
            steps = depth_first(search, STEPS_MAX)
            verdict.bound += f", then {steps:,} steps depth first"
    return verdict


def searches(
    space: Space, verdict: Verdict, avoid: frozenset[str] = frozenset()
) -> Iterator[Search]:
    """Yield searches to run, until one turns out to be valid; each knows the steps that those
    before it have learned."""
    while True:
        yield search_of(space, verdict, avoid)
        space.forget()
        verdict.start_again()


def search_of(space: Space, verdict: Verdict, avoid: frozenset[str] = frozenset()) -> Search:
    """A search with the inner loop in C, or in Python where C was not built."""
    tables = tables_of(space)
    return Compiled(tables, verdict, avoid) if tables else Plain(space, verdict, avoid)


def depth_first(search: Search, steps_max: int) -> int:
    """Go on for a number of steps, or until the budget is spent; return how many were made.

    Its findings are noted as findings of the search.
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
        pass  # what was found until then was noted
    return made


class _Way:
    """A way from one state on: the contexts that have stepped, and for each state on it the
    contexts that were not tried there."""

    def __init__(self, search: Search, number: int) -> None:
        self.search, self.space, self.number = search, search.space, number
        self.slots, self.states = list[int](), list[tuple[bytes, Iterator[int]]]()
        self.on_it = set[bytes]()
        self._come_to(search.state(number))

    def steps(self) -> Iterator[None]:
        """Make one step after the other, and go back where there is nothing new."""
        while self.states:
            state, left = self.states[-1]
            slot = next(left, None)
            if slot is None:
                self.states.pop()
                self.on_it.discard(state)
                if self.slots:
                    self.slots.pop()
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
            self._come_to(there)

    def _come_to(self, state: bytes) -> None:
        self.states.append((state, iter(range(self.search.width))))
        self.on_it.add(state)

    def _note(self, findings: tuple[Finding, ...]) -> None:
        self.search.note(self.number, findings, *self.slots)
