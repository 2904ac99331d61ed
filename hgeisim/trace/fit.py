"""From measured times to a distribution of the timing table."""

from __future__ import annotations

import math
from collections.abc import Sequence

from hgeisim.scenario.distribution import Constant, Empirical, Exponential, Law

EXPONENTIAL_MIN = 20
"""Fewer times than this do not tell whether they are exponential."""
_LILLIEFORS = 1.094
"""5 % point of the Kolmogorov distance to an exponential law with the sample's mean (Stephens)."""
QUANTILES_MAX = 10
"""Most steps of an empirical distribution."""


def fitted(times_ns: Sequence[int]) -> Law:
    """The simplest law that the times do not contradict: constant, exponential, else as measured.

    They are rounded to 1 ns where they are 0: a step of a simulation takes time.
    """
    ordered = sorted(times_ns)
    if ordered[0] == ordered[-1]:
        return Constant.model_construct(value=max(1, ordered[0]))
    if is_exponential(ordered):
        return Exponential.model_construct(mean=max(1, round(sum(ordered) / len(ordered))))
    steps = min(QUANTILES_MAX, len(ordered) - 1)
    ends = tuple(quantile(ordered, at / steps) for at in range(steps + 1))
    return Empirical.model_construct(quantiles=ends)


def quantile(ordered: Sequence[int], part: float) -> int:
    """The measured time that `part` of the others do not exceed (nearest rank)."""
    return ordered[round(part * (len(ordered) - 1))]


def is_exponential(ordered: Sequence[int]) -> bool:
    """Whether the times pass Lilliefors' test for an exponential law, at 5 %."""
    count = len(ordered)
    if count < EXPONENTIAL_MIN:
        return False
    mean = sum(ordered) / count
    root = math.sqrt(count)
    return (distance(ordered, mean) - 0.2 / count) * (root + 0.26 + 0.5 / root) < _LILLIEFORS


def distance(ordered: Sequence[int], mean: float) -> float:
    """Kolmogorov's distance between the times and an exponential law with this mean."""
    laws = [-math.expm1(-time_ns / mean) for time_ns in ordered]
    count = len(ordered)
    return max(max((at + 1) / count - law, law - at / count) for at, law in enumerate(laws))
