"""Why a finding of a shipped kernel came about, where its schedule is not the shortest way to it.

What is accepted of a kernel is accepted by its cause, which the schedules with the fewest switches
show.  A schedule with more may have other parties.
"""

from __future__ import annotations

from collections.abc import Mapping

from hgeisim.checks.cause import Cause
from hgeisim.drivers.explored.counterexample.cause import cause_of
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.strategies.fewest_switches import fewest_switches, wish_for
from hgeisim.drivers.explored.trial import FEW_SWITCHES


def least_causes(space: Space, causes: Mapping[str, Cause]) -> dict[str, Cause]:
    """The causes of findings in schedules with the fewest switches, as far as those are found soon.

    Of what they are not found for, only what has happened is known; a patch has to show its cause.
    """
    ways = fewest_switches(space, FEW_SWITCHES, wish_for(causes)).ways
    patched = "+" in space.system.k.name
    found = {i: cause_of(space, way.schedule, i) for i, way in ways.items()}
    others = {i: c if patched else c.of_some_schedule for i, c in causes.items()}
    return others | {i: found[i] for i in sorted(causes.keys() & found.keys())}
