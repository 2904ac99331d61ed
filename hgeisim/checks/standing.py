"""How a finding of a patch compares with what its base shows."""

from __future__ import annotations

from typing import NamedTuple

INTRODUCED = "introduced"
"""Only the variant shows it."""
EASIER = "easier"
"""The variant shows it in fewer switches than the base."""
PRE_EXISTING = "pre-existing"
"""The base shows it as easily."""
UNKNOWN = "unknown"
"""A search was cut short, so that it is one or another of these."""
GONE = "gone"
"""Only the base shows it."""
COUNTING = (INTRODUCED, EASIER, UNKNOWN)
"""What speaks against a patch."""


class Bounds(NamedTuple):
    """How many switches a finding needs: the two are equal where that is known exactly."""

    least: int
    most: int


class Standing(NamedTuple):
    """How a finding compares, and what the base needs, if it shows it and that was counted."""

    word: str
    base: Bounds | None = None
