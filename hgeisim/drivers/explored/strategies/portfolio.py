"""The strategies by name, those that search and those that draw; and the portfolio of them.

The portfolio searches all interleavings where that is possible soon; else what is shallow first.  A
search breadth first speaks late where there are very many states.  Random schedules reach what is
shallow right away, whatever there is beside it, and states by the number of switches what needs
few.  Some hundred schedules come before any search, in its warm-up.
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
"""Random schedules that are made then."""
BY_SWITCHES = 1_000_000
"""States that are reached then, in the order of switches."""
AT_FIRST, BESIDE = 0.25, 0.3
"""The shares of a time that these may take, where there is one."""


def portfolio(
    space: Space, states_max: int, progress: Progress | None = None, enough: Enough = never
) -> Verdict:
    """Search all interleavings, up to `states_max` states.

    Where there are more than some, random schedules are made first, then those with few switches.
    What they find counts unless the search comes to its end: then that has found it as well, in the
    shortest way.
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
    """Searches a space, up to so many states."""

    def __call__(
        self, space: Space, states_max: int, *, progress: Progress | None, enough: Enough
    ) -> Verdict:
        """What it has found."""


SEARCHES: dict[str, Searching] = {
    "portfolio": portfolio,
    "exhaustive": partial(exhaustive, avoid=frozenset()),
    "switches": by_switches,
}
NAMES = (*SEARCHES, *SAMPLERS)
