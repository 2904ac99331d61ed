"""The base of a patch: the kernel that it was made for, in the scenario that is searched."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from time import perf_counter

from hgeisim.checks.finding import NOT_KNOWN, Cause
from hgeisim.checks.known import accepted
from hgeisim.drivers.explored.baselines import recorded
from hgeisim.drivers.explored.comparison import Shown, shown
from hgeisim.drivers.explored.explored_scenario import space_of
from hgeisim.drivers.explored.model.budget import UNLIMITED, Budget
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.reach import Reach
from hgeisim.drivers.explored.strategies.context_bounding import (
    fewest_switches,
    is_livelock,
    wish_for,
)
from hgeisim.drivers.explored.strategies.exhaustive import exhaustive
from hgeisim.drivers.explored.strategies.levels import FewestSwitches, Wish
from hgeisim.drivers.explored.strategies.portfolio import portfolio
from hgeisim.drivers.explored.strategies.search import Progress
from hgeisim.drivers.explored.strategies.verdict import Counterexample
from hgeisim.scenario.schema import Scenario

NOTHING_KNOWN = Shown()
FEW_STATES = 10_000
"""States in which a line is looked for that the start does not hand out."""
FEW_SWITCHES = 100_000
"""States in which a finding is looked for, by switches, that a sample has not shown."""


class Base:
    """A kernel in a `scenario`, which is searched when its findings are needed, unless they are
    recorded.

    `states` counts what was searched, and `seconds` the time that took; `ways` has for each finding
    that was found a schedule with the fewest switches.
    """

    def __init__(self, scenario: Scenario, states_max: int, budget: Budget = UNLIMITED) -> None:
        self.scenario, self.states_max, self.budget = scenario, states_max, budget
        self.progress: Progress | None = None
        self.recorded = recorded(scenario)
        self.states, self.seconds = 0, 0.0
        self.ways: dict[str, Counterexample] = {}
        self._searched: Shown | None = None
        self._with_loops = False

    @property
    def variant(self) -> str:
        """The name of the kernel."""
        return self.scenario.kernel.variant

    @cached_property
    def space(self) -> Space:
        """The state space."""
        return space_of(self.scenario, budget=self.budget)

    def accepts(self, finding_id: str, cause: Cause = NOT_KNOWN) -> bool:
        """Whether a finding is accepted in this kernel; in a user's own file none is."""
        kernel = self.scenario.kernel
        return accepted(finding_id, kernel.variant, kernel.realtime, cause)

    def known(self) -> Shown:
        """The findings that are known so far."""
        return self.recorded or self._searched or NOTHING_KNOWN

    def shows(self, loops: bool = False) -> Shown:
        """All findings of the kernel; with `loops`, endless contexts as well."""
        if self.recorded is not None:
            return self.recorded
        loops = loops or self.space.system.own_patch
        if self._searched is None or (loops and not self._with_loops):
            began = perf_counter()
            found = fewest_switches(self.space, self.states_max, Wish(loops=loops), self.progress)
            self._searched, self._with_loops = shown(found, {}), loops
            self.ways |= found.ways
            self.states, self.seconds = found.states, self.seconds + perf_counter() - began
        return self._searched

    @cached_property
    def hands_out_a_line(self) -> bool:
        """Whether a vCPU gets a VS-file: at the start, or in a short search."""
        reach = Reach(self.scenario, self.space)
        if not reach.a_line_was_handed_out and not self.states:
            exhaustive(self.space, FEW_STATES)
        return reach.a_line_was_handed_out

    def shows_in_a_sample(self, ids: Iterable[str], states_max: int) -> frozenset[str]:
        """The ids of the findings of a search that need not finish, its warm-up included; it ends
        once it has shown all of some `ids`."""
        missing, began = {*ids}, perf_counter()
        space = space_of(self.scenario, budget=self.budget)

        def is_last(finding_id: str) -> bool:
            missing.discard(finding_id)
            return not missing

        found = portfolio(space, states_max, self.progress, is_last)
        self.seconds += perf_counter() - began
        if found.stopped is not None:
            raise found.stopped
        return frozenset(found.counterexamples)

    def find_ways(self, ids: Iterable[str]) -> None:
        """Find a schedule for each of some findings; recorded findings have none."""
        if missing := [i for i in ids if i not in self.ways]:
            wish = wish_for(missing)
            self.ways |= fewest_switches(self.space, self.states_max, wish, self.progress).ways

    def in_few_states(self, ids: Iterable[str]) -> FewestSwitches:
        """Search a small part of the space, by switches, for some findings."""
        return fewest_switches(self.space, FEW_SWITCHES, wish_for(ids))

    def look_for_livelocks(self) -> None:
        """Search for livelocks as well, unless findings are recorded: no shipped kernel has shown
        one in a scenario with recorded findings."""
        if self.recorded is None:
            found = exhaustive(self.space, self.states_max).counterexamples
            also = shown(FewestSwitches(), {i: found[i] for i in found if is_livelock(i)})
            known = self.shows()
            self._searched = Shown({**also.switches, **known.switches}, known.others)
