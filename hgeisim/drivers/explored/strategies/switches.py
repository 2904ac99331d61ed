"""Schedules in the order of their switches of context: all with none, all with one, and so on."""

from __future__ import annotations

from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.strategies.fewest_switches import levels_of
from hgeisim.drivers.explored.strategies.levels import FewestSwitches, Wish
from hgeisim.drivers.explored.strategies.search import Progress
from hgeisim.drivers.explored.strategies.verdict import BOUNDED, Enough, Verdict, many, never
from hgeisim.drivers.explored.strategies.warm_up import warm_up


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
