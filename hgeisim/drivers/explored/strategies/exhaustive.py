"""Search every interleaving, breadth first, each state once: the first way found is shortest."""

from __future__ import annotations

from hgeisim.drivers.explored.compiled.tables import tables_of
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.strategies.compiled import Compiled
from hgeisim.drivers.explored.strategies.depth_first import depth_first
from hgeisim.drivers.explored.strategies.plain import Plain
from hgeisim.drivers.explored.strategies.search import Progress, Search
from hgeisim.drivers.explored.strategies.verdict import Enough, Verdict, never
from hgeisim.drivers.explored.strategies.warm_up import warm_up

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
