"""The portfolio of strategies, and all strategies by name: those that search and those that draw.

The portfolio searches all interleavings where that does not take long; else it begins with shallow
findings.  Where there are very many states, a breadth-first search reports late.  Random schedules
reach shallow findings right away, however many states there are, and a search by switches reaches
those that need few.  Some hundred schedules precede any search, in its warm-up.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.strategies.context_bounding import by_switches
from hgeisim.drivers.explored.strategies.exhaustive import exhaustive
from hgeisim.drivers.explored.strategies.random_walk import random_walk
from hgeisim.drivers.explored.strategies.sampling import RUN_MEAN, SAMPLERS, Draw
from hgeisim.drivers.explored.strategies.search import Progress
from hgeisim.drivers.explored.strategies.verdict import BOUNDED, Enough, Verdict, never
from hgeisim.scenario.streams import Streams

FEW_STATES = 700_000
"""States that are searched before anything else is tried."""
SCHEDULES = 15_000
"""Random schedules that are made next."""
BY_SWITCHES = 1_000_000
"""States that are then reached in the order of switches."""
AT_FIRST, BESIDE = 0.25, 0.3
"""The shares of a time limit that the first search, and each of the next two steps, may take."""


def portfolio(
    space: Space, states_max: int, progress: Progress | None = None, enough: Enough = never
) -> Verdict:
    """Search all interleavings, up to `states_max` states.

    Beyond `FEW_STATES`, random schedules come first, then schedules with few switches.  What they
    find counts unless the search finishes: it has then found the same in the shortest way.
    """

    def all_of_them(states: int) -> Verdict:
        return exhaustive(space, states, progress=progress, enough=enough)

    budget = space.system.budget
    with budget.part(AT_FIRST):
        few = all_of_them(min(states_max, FEW_STATES))
    is_over = few.is_over or few.is_out_of_memory
    if few.coverage != BOUNDED or is_over or (states_max <= FEW_STATES and not few.is_a_part):
        return few
    draw = Draw(Streams(0).stream("portfolio"), RUN_MEAN)
    others: tuple[Callable[[], Verdict], ...] = (
        lambda: random_walk(space.whole, SCHEDULES, draw, enough),
        lambda: by_switches(space, min(states_max, BY_SWITCHES), progress, enough),
    )
    beside, bounds = few, list[str]()
    for other in others:
        with budget.part(BESIDE):
            made = other()
        bounds.append(made.bound)
        made.counterexamples = beside.counterexamples | made.counterexamples
        beside = made
        if made.is_over:
            break
    verdict = few if beside.is_over else all_of_them(states_max)
    if verdict.coverage == BOUNDED:
        verdict.counterexamples = beside.counterexamples | verdict.counterexamples
        verdict.stopped = verdict.stopped or beside.stopped
        verdict.bound = ", ".join((verdict.bound, *bounds))
    return verdict


class Searching(Protocol):
    """A strategy that searches a space, up to `states_max` states."""

    def __call__(
        self, space: Space, states_max: int, *, progress: Progress | None, enough: Enough
    ) -> Verdict:
        """Search, and return the result."""


SEARCHES: dict[str, Searching] = {
    "portfolio": portfolio,
    "exhaustive": partial(exhaustive, avoid=frozenset()),
    "switches": by_switches,
}
NAMES = (*SEARCHES, *SAMPLERS)
