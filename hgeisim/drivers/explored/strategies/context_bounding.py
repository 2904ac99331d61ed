"""Context bounding: schedules in the order of their switches of context, none, one, and so on.

`fewest_switches` finds the fewest with which any schedule of a space shows a finding, exactly.  A
context is deterministic.  So from a state where context s stepped last, going on with s costs
nothing and any other one switch: states are taken level by level of switches, and within a level
each context goes on for as long as it can.  Steps of many operations give the same numbers as
single ones, since all operations of a step are of one context.
"""

from __future__ import annotations

from collections.abc import Iterable

from hgeisim.drivers.explored.compiled.tables import tables_of
from hgeisim.drivers.explored.model.nontermination import KIND, LIVELOCK
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.strategies.compiled import CONTEXTS_MAX, CompiledLevels
from hgeisim.drivers.explored.strategies.levels import FewestSwitches, Levels, PlainLevels, Wish
from hgeisim.drivers.explored.strategies.random_walk import warm_up
from hgeisim.drivers.explored.strategies.search import Progress
from hgeisim.drivers.explored.strategies.verdict import BOUNDED, Enough, Verdict, many, never

ALL = Wish()


def is_livelock(finding_id: str) -> bool:
    """Whether a finding is one that only shows once all states are known."""
    return finding_id.startswith(f"{LIVELOCK}:")


def wish_for(ids: Iterable[str]) -> Wish:
    """Exactly these findings, but for a livelock: that is looked for once all states are known."""
    wanted = frozenset(each for each in ids if not is_livelock(each))
    return Wish(wanted, any(each.startswith(f"{KIND}:") for each in wanted))


def fewest_switches(
    space: Space, states_max: int, wish: Wish = ALL, progress: Progress | None = None
) -> FewestSwitches:
    """Reach each finding in as few switches as any schedule can.

    It ends early with the last one that is wished for, or where `states_max` are spent.
    """
    if space.contention is not None and not space.steps_learned:
        warm_up(space)
    search = levels_of(space, states_max, wish)
    while not search.run(progress):
        space.forget()
        search = levels_of(space, states_max, wish)
    return search.result


def levels_of(space: Space, states_max: int, wish: Wish) -> Levels:
    """A search with the inner loop that there is; C does not look for loops."""
    tables = None if wish.loops or len(space.locations) > CONTEXTS_MAX else tables_of(space)
    if tables is None:
        return PlainLevels(space, states_max, wish)
    return CompiledLevels(tables, states_max, wish)


def by_switches(
    space: Space, states_max: int, progress: Progress | None = None, enough: Enough = never
) -> Verdict:
    """Iterative context bounding (Musuvathi and Qadeer, PLDI 2007), each state once.

    It is `bounded` in any case: contexts that go round for each other are not looked for.
    """
    verdict, result = Verdict(BOUNDED, enough=enough), FewestSwitches()
    with verdict.kept():
        if space.contention is not None and not space.steps_learned:
            warm_up(space, verdict)
        is_valid = False
        while not is_valid:
            verdict.start_again()
            search = levels_of(space, states_max, Wish(tell=verdict.keep))
            result = search.result
            is_valid = search.run(progress)
            if not is_valid:
                space.forget()
    verdict.states, verdict.transitions = result.states, result.steps
    verdict.ends = result.ends
    verdict.bound = f"{bound_of(result)}{verdict.cut}"
    return verdict


def bound_of(found: FewestSwitches) -> str:
    """Which schedules were made, in words."""
    if found.levels is None:
        return f"{many(found.states, 'state')}, which are all, with no look for livelocks"
    most = found.levels - 1
    done = "no end of those without a switch"
    if most >= 0:
        done = f"up to {many(most, 'switch', 'es')}"
    return f"{done} ({many(found.states, 'state')})"
