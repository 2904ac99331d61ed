"""All interleavings where that is possible soon; else what is shallow first.

A search breadth first speaks late where there are very many states.  Random schedules reach what is
shallow at once, whatever there is beside it, and states by the number of switches what needs few.
"""

from __future__ import annotations

from collections.abc import Iterator

from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.strategies.exhaustive import exhaustive
from hgeisim.drivers.explored.strategies.fewest_switches import fewest_switches
from hgeisim.drivers.explored.strategies.search import Progress
from hgeisim.drivers.explored.strategies.strategy import RUN_MEAN, Draw
from hgeisim.drivers.explored.strategies.verdict import BOUNDED, Enough, Verdict, never
from hgeisim.drivers.explored.strategies.walk import random_walk
from hgeisim.scenario.streams import Streams

FEW_STATES = 1_000_000
"""States that are searched before anything else is tried."""
SCHEDULES = 2_000
"""Random schedules that are made then."""


def portfolio(
    space: Space, states_max: int, progress: Progress | None = None, enough: Enough = never
) -> Verdict:
    """Search all interleavings, up to `states_max` states.

    Where there are more than some, random schedules are made first, then those with few switches.
    What they find counts unless the search comes to its end: then that has found it as well, in the
    shortest way.
    """
    few = exhaustive(space, min(states_max, FEW_STATES), progress=progress, enough=enough)
    if few.coverage != BOUNDED or _is_over(few, enough) or states_max <= FEW_STATES:
        return few
    beside: list[str] = []
    with few.unharmed():
        beside += _look_for_what_is_shallow(space, few, states_max, progress)
    verdict = few
    if not _is_over(few, enough):
        verdict = exhaustive(space, states_max, progress=progress, enough=enough)
        if verdict.coverage != BOUNDED:
            return verdict
        verdict.counterexamples = few.counterexamples | verdict.counterexamples
    verdict.bound = ", ".join((verdict.bound, *beside))
    return verdict


def _is_over(verdict: Verdict, enough: Enough) -> bool:
    return verdict.stopped is not None or any(map(enough, verdict.counterexamples))


def _look_for_what_is_shallow(
    space: Space, few: Verdict, states_max: int, progress: Progress | None
) -> Iterator[str]:
    """Add what random schedules show, then what few switches show, and say how many there were."""
    draw = Draw(Streams(0).stream("portfolio"), RUN_MEAN)
    walked = random_walk(space.whole, SCHEDULES, draw, few.enough)
    few.counterexamples = walked.counterexamples | few.counterexamples
    few.stopped = walked.stopped
    yield walked.bound
    if not _is_over(few, few.enough):
        fewest = fewest_switches(space, states_max, progress=progress)
        few.counterexamples = fewest.ways | few.counterexamples
        if fewest.levels:
            yield f"up to {fewest.levels - 1} switches"
