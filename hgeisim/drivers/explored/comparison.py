"""Two kernels compared in one scenario: the findings that a patch has introduced, made easier, left
as they were, or removed.

Findings are compared by the fewest context switches with which any schedule shows them.  In a
series, `changes` has what one more patch has changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from hgeisim.checks.catalogue import is_note
from hgeisim.checks.finding import (
    COUNTING,
    EASIER,
    GONE,
    INTRODUCED,
    PRE_EXISTING,
    UNKNOWN,
    Bounds,
    Standing,
)
from hgeisim.drivers.explored.strategies.context_bounding import is_livelock
from hgeisim.drivers.explored.strategies.levels import FewestSwitches
from hgeisim.drivers.explored.strategies.verdict import Counterexample


@dataclass(frozen=True)
class Shown:
    """The findings of a kernel in a scenario, by the fewest switches that each needs.

    Any other finding needs `others` switches or more; None means that there is no other.
    """

    switches: Mapping[str, Bounds] = field(default_factory=dict)
    others: int | None = 0

    @property
    def whole(self) -> bool:
        """Whether there is no other finding."""
        return self.others is None


def shown(
    fewest: FewestSwitches, found: Mapping[str, Counterexample], whole: bool = False
) -> Shown:
    """The findings known after a search by switches and another one, which was `whole` if it has
    found all there are.

    The switches to a livelock are not counted: it is there or not.
    """
    levels = fewest.levels or 0
    bounds = {i: Bounds(levels, max(levels, c.switches)) for i, c in found.items()}
    bounds |= {i: Bounds(0, 0) for i in found if is_livelock(i)}
    for finding_id, way in fewest.ways.items():
        exact = way.switches
        bounds[finding_id] = Bounds(exact, exact)
    return Shown(bounds, None if whole else fewest.levels)


def compared(variant: Shown, base: Shown) -> dict[str, Standing]:
    """The standing of each finding of two kernels; those that are gone come last.

    No finding counts as gone if the search of the variant was cut short.
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


def counting(standings: Mapping[str, Standing], words: Sequence[str] = COUNTING) -> list[str]:
    """The ids of the findings that speak against a patch: those with one of some words."""
    return [i for i, each in standings.items() if each.word in words and not is_note(i)]


CAME, HARDER, WENT = "came", "harder", "went"
WORDS = (CAME, EASIER, UNKNOWN, HARDER, WENT)
"""The ways in which a finding may have changed, the worst first."""
OF_STANDING = {INTRODUCED: CAME, EASIER: EASIER, UNKNOWN: UNKNOWN, GONE: WENT}

Changes: TypeAlias = Mapping[str, Sequence[str]]
"""The sorted ids of each word."""


def changes(before: Shown, after: Shown) -> Changes:
    """The changes from one kernel to the next, without findings that need the same switches."""
    words = {i: _word(after, i, each) for i, each in compared(after, before).items()}
    return by_word(words)


def by_word(words: Mapping[str, str]) -> Changes:
    """The ids of each word, from the word of each id."""
    return {word: sorted(i for i, each in words.items() if each == word) for word in WORDS}


def _word(after: Shown, finding_id: str, standing: Standing) -> str:
    """The word for a standing; "" if nothing has changed."""
    if standing.word == PRE_EXISTING and standing.base is not None:
        return HARDER if after.switches[finding_id].least > standing.base.most else ""
    return OF_STANDING.get(standing.word, "")
