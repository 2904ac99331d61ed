"""What one more patch has changed of the findings, by the fewest switches that each needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from hgeisim.checks.standing import (
    EASIER,
    GONE,
    INTRODUCED,
    PRE_EXISTING,
    UNKNOWN,
    Standing,
)
from hgeisim.drivers.explored.comparison import Shown, compared

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
