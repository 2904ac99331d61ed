"""Schedules in the order of their switches of context: all with none, all with one, and so on."""

from __future__ import annotations

from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.strategies.fewest_switches import fewest_switches
from hgeisim.drivers.explored.strategies.levels import FewestSwitches, Wish
from hgeisim.drivers.explored.strategies.search import Progress
from hgeisim.drivers.explored.strategies.verdict import BOUNDED, Enough, Verdict, never


def by_switches(
    space: Space, states_max: int, progress: Progress | None = None, enough: Enough = never
) -> Verdict:
    """Iterative context bounding (Musuvathi and Qadeer, PLDI 2007), each state once.

    It is `bounded` in any case: contexts that go round for each other are not looked for.
    """
    verdict = Verdict(BOUNDED, enough=enough)

    def told(states: int, left: int) -> None:
        verdict.states = states
        if progress:
            progress(states, left)

    with verdict.kept():
        found = fewest_switches(space, states_max, Wish(tell=verdict.keep), told)
        verdict.states = found.states
        verdict.counterexamples = found.ways | verdict.counterexamples
        verdict.bound = bound_of(found)
    return verdict


def bound_of(found: FewestSwitches) -> str:
    """Which schedules were made, in words."""
    if found.levels is None:
        return f"{found.states:,} states, which are all, with no look for livelocks"
    most = found.levels - 1
    return f"up to {most} switch{'' if most == 1 else 'es'}" if most >= 0 else "no switch"
