"""Context bounding: schedules in the order of their context switches: none, one, and so on.

`fewest_switches` finds exactly the fewest switches with which any schedule of a space shows a
finding.  A context is deterministic, so from a state where context s stepped last, going on with s
costs nothing and any other context one switch.  States are therefore taken level by level, one
switch more in each, and within a level every context goes on for as long as it can.  Steps of many
operations give the same numbers as single ones, since all operations of a step are of one context.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hgeisim.drivers.explored.compiled.tables import tables_of
from hgeisim.drivers.explored.model.nontermination import ENDLESS, LIVELOCK
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.strategies.compiled import CONTEXTS_MAX, CompiledLevels
from hgeisim.drivers.explored.strategies.levels import FewestSwitches, Levels, PlainLevels, Wish
from hgeisim.drivers.explored.strategies.random_walk import warm_up
from hgeisim.drivers.explored.strategies.search import Progress
from hgeisim.drivers.explored.strategies.verdict import BOUNDED, Enough, Verdict, many, never

ALL = Wish()


def is_livelock(finding_id: str) -> bool:
    """Whether a finding is a livelock, which only shows once all states are known."""
    return finding_id.startswith(f"{LIVELOCK}:")


def wish_for(ids: Iterable[str]) -> Wish:
    """A wish for exactly these findings, without livelocks, which no such search can find."""
    wanted = frozenset(each for each in ids if not is_livelock(each))
    return Wish(wanted, any(each.startswith(f"{ENDLESS}:") for each in wanted))


def fewest_switches(
    space: Space, states_max: int, wish: Wish = ALL, progress: Progress | None = None
) -> FewestSwitches:
    """Reach each finding in as few switches as any schedule can.

    The search ends early with the last finding that is wished for, or after `states_max` states.
    """
    warm_up(space)
    made = _searches(space, states_max, wish)
    return next(search for search in made if search.run(progress)).result


def _searches(space: Space, states_max: int, wish: Wish) -> Iterator[Levels]:
    """Yield searches to run, until one turns out to be valid."""
    while True:
        yield levels_of(space, states_max, wish)
        space.forget()


def levels_of(space: Space, states_max: int, wish: Wish) -> Levels:
    """A search with the inner loop in C where possible; C does not look for loops."""
    tables = None if wish.loops or len(space.locations) > CONTEXTS_MAX else tables_of(space)
    if tables is None:
        return PlainLevels(space, states_max, wish)
    return CompiledLevels(tables, states_max, wish)


def by_switches(
    space: Space, states_max: int, progress: Progress | None = None, enough: Enough = never
) -> Verdict:
    """Iterative context bounding (Musuvathi and Qadeer, PLDI 2007), each state once.

    The verdict is bounded in any case: livelocks are not looked for.
    """
    verdict, result = Verdict(BOUNDED, enough=enough), FewestSwitches()
    with verdict.kept():
        warm_up(space, verdict)
        for search in _searches(space, states_max, Wish(report=verdict.keep)):
            verdict.start_again()
            result = search.result
            if search.run(progress):
                break
    verdict.states, verdict.transitions = result.states, result.steps
    verdict.ends = result.ends
    verdict.bound = f"{bound_of(result)}{verdict.cut}"
    return verdict


def bound_of(found: FewestSwitches) -> str:
    """Describe the schedules that were made."""
    if found.levels is None:
        return f"{many(found.states, 'state')}, which are all, with no look for livelocks"
    most = found.levels - 1
    done = "no end of those without a switch"
    if most >= 0:
        done = f"up to {many(most, 'switch', 'es')}"
    return f"{done} ({many(found.states, 'state')})"
