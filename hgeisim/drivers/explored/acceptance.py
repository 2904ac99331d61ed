"""Why a finding of a shipped kernel came about, where its schedule is not the shortest way to it.

What is accepted of a kernel is accepted by its cause, which the schedules with the fewest switches
show.  A schedule with more may have other parties.  So where no search ends, a base without patches
is taken at what has happened, and so is one with shipped patches, if the base shows the same when
it is led along the same schedule.
"""

from __future__ import annotations

from collections.abc import Mapping

from hgeisim.checks.cause import Cause
from hgeisim.drivers.explored.counterexample.cause import cause_of
from hgeisim.drivers.explored.explorer import space_of
from hgeisim.drivers.explored.led import shown_when_led
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.strategies.fewest_switches import fewest_switches, wish_for
from hgeisim.drivers.explored.strategies.verdict import Schedule
from hgeisim.drivers.explored.trial import FEW_SWITCHES
from hgeisim.scenario.schema import Scenario
from hgeisim.scenario.variation import on_variant


def of_the_base(space: Space, scenario: Scenario, ways: Mapping[str, Schedule]) -> frozenset[str]:
    """The ids of those findings that are the base's own: all, where there is no patch on it."""
    base, _, patches = scenario.kernel.variant.partition("+")
    if not patches or not ways:
        return frozenset(ways)
    other = space_of(on_variant(scenario, base), budget=space.system.budget)
    return shown_when_led(space, ways.values(), other) & ways.keys()


def least_causes(
    space: Space, scenario: Scenario, causes: Mapping[str, Cause], schedule: Schedule
) -> dict[str, Cause]:
    """The causes of findings in schedules with the fewest switches, as far as those are found soon;
    of what they are not found for and the base shows, only what has happened is known."""
    ways = fewest_switches(space, FEW_SWITCHES, wish_for(causes)).ways
    found = {i: cause_of(space, way.schedule, i) for i, way in ways.items() if i in causes}
    others = {i: schedule for i in causes if i not in found}
    own = of_the_base(space, scenario, others)
    rest = {i: causes[i].of_some_schedule if i in own else causes[i] for i in others}
    return {i: (found | rest)[i] for i in causes}
