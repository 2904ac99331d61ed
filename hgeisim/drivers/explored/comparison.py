"""Two kernels in one scenario: what a patch has introduced, made easier, left as it was, or ended.

They are compared by the fewest switches of context with which any schedule shows a finding.  In a
series, `changes` says what one more patch has changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from hgeisim.checks.finding import EASIER, GONE, INTRODUCED, PRE_EXISTING, UNKNOWN, Bounds, Standing
from hgeisim.drivers.explored.strategies.context_bounding import is_livelock
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


CAME, HARDER, WENT = "came", "harder", "went"
WORDS = (CAME, EASIER, UNKNOWN, HARDER, WENT)
"""How a finding may have changed; the worst first."""
OF_STANDING = {INTRODUCED: CAME, EASIER: EASIER, UNKNOWN: UNKNOWN, GONE: WENT}

Changes: TypeAlias = Mapping[str, Sequence[str]]
"""For each word the ids, sorted."""


def changes(before: Shown, after: Shown) -> Changes:
    """How the findings of two kernels differ; a finding that needs as many switches is left out."""
    words = {i: _word(after, i, each) for i, each in compared(after, before).items()}
    return by_word(words)


def by_word(words: Mapping[str, str]) -> Changes:
    """The ids of each word."""
    return {word: sorted(i for i, each in words.items() if each == word) for word in WORDS}


def _word(after: Shown, finding_id: str, standing: Standing) -> str:
    """The word for a standing, "" where nothing has changed."""
    if standing.word == PRE_EXISTING and standing.base is not None:
        return HARDER if after.switches[finding_id].least > standing.base.most else ""
    return OF_STANDING.get(standing.word, "")
