"""Two kernels in one scenario: what a patch has introduced, made easier, left as it was, or ended.

They are compared by the fewest switches of context with which any schedule shows a finding.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hgeisim.checks.standing import (
    EASIER,
    GONE,
    INTRODUCED,
    PRE_EXISTING,
    UNKNOWN,
    Bounds,
    Standing,
)
from hgeisim.drivers.explored.strategies.fewest_switches import is_livelock
from hgeisim.drivers.explored.strategies.levels import FewestSwitches
from hgeisim.drivers.explored.strategies.verdict import Counterexample


@dataclass(frozen=True)
class Shown:
    """What a kernel shows in a scenario.

    Any other finding needs `others` switches or more; it is None where there is no other.
    """

    switches: Mapping[str, Bounds] = field(default_factory=dict)
    others: int | None = 0

    @property
    def whole(self) -> bool:
        """Whether there is nothing else."""
        return self.others is None


def shown(
    fewest: FewestSwitches, found: Mapping[str, Counterexample], whole: bool = False
) -> Shown:
    """What is known after two searches: a `whole` one has found all there is.

    A livelock is there or not: nobody counts the switches to it.
    """
    levels = fewest.levels or 0
    bounds = {i: Bounds(levels, max(levels, c.switches)) for i, c in found.items()}
    bounds |= {i: Bounds(0, 0) for i in found if is_livelock(i)}
    for finding_id, way in fewest.ways.items():
        exact = way.switches
        bounds[finding_id] = Bounds(exact, exact)
    return Shown(bounds, None if whole else fewest.levels)


def compared(variant: Shown, base: Shown) -> dict[str, Standing]:
    """How each finding of two kernels stands; what is gone comes last.

    Nothing is called gone where the search of the variant was cut short.
    """
    standings = {
        i: _standing(own, base.switches.get(i), base) for i, own in variant.switches.items()
    }
    if variant.whole:
        gone = base.switches.keys() - variant.switches.keys()
        standings |= {i: Standing(GONE, base.switches[i]) for i in sorted(gone)}
    return standings


def _standing(own: Bounds, other: Bounds | None, base: Shown) -> Standing:
    if other is None:
        return Standing(INTRODUCED if base.whole else UNKNOWN)
    if own.most < other.least:
        return Standing(EASIER, other)
    return Standing(PRE_EXISTING if own.least >= other.most else UNKNOWN, other)
