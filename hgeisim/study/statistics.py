"""Intervals: of a mean, of a quantile, of the probability of a rare event.

SciPy has the distributions and the bootstrap; it is imported when a function needs it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hgeisim.scenario.streams import Streams

Numbers = Sequence[float] | NDArray[np.float64]
RESAMPLES = 2_000
"""How often the bootstrap draws."""
RARE = 10
"""An event seen less often than this is rare: its interval comes from the binomial distribution."""


@dataclass(frozen=True)
class Interval:
    """An estimate from `count` numbers, and the bounds between which the truth lies.

    `method` is "t", "bootstrap", "clopper-pearson" or "bonferroni"; of one number alone, or where
    nothing varies enough to judge, there are no bounds and it is "".
    """

    value: float
    low: float | None = None
    high: float | None = None
    count: int = 0
    method: str = ""

    @property
    def half(self) -> float | None:
        """Half of the width: the larger distance from the estimate to a bound."""
        if self.low is None or self.high is None:
            return None
        return max(self.value - self.low, self.high - self.value)


def mean_interval(values: Numbers, level: float) -> Interval:
    """The mean of independent numbers, with Student's t."""
    from scipy.special import stdtrit  # noqa: PLC0415 - scipy.stats takes 0.9 s to import

    count, value = len(values), float(np.mean(values))
    if count < 2:
        return Interval(value, count=count)
    half = float(stdtrit(count - 1, (1 + level) / 2) * np.std(values, ddof=1) / sqrt(count))
    return Interval(value, value - half, value + half, count, "t")


def quantile_interval(values: Numbers, percent: float, level: float, stream: str) -> Interval:
    """A quantile of independent numbers, with bounds by bootstrap (percentile method).

    It draws from the stream of a name, so the same numbers give the same bounds.
    """

    def quantile(sample: Any, axis: int) -> Any:
        return np.percentile(sample, percent, axis=axis)

    return _bootstrap((values,), quantile, level, Streams(0).generator(stream))


def quantile_difference(
    values: Numbers, others: Numbers, percent: float, level: float, stream: str
) -> Interval:
    """A quantile of some numbers less that of others, which are pairs: the bootstrap draws pairs.

    It is not the quantile of the differences, which noise alone keeps away from 0.
    """

    def difference(sample: Any, other: Any, axis: int) -> Any:
        one = np.percentile(sample, percent, axis=axis)
        return one - np.percentile(other, percent, axis=axis)

    return _bootstrap((values, others), difference, level, Streams(0).generator(stream))


def _bootstrap(
    samples: Sequence[Numbers], statistic: Callable[..., Any], level: float, rng: Any
) -> Interval:
    """A statistic of samples of the same length, whose numbers are drawn together."""
    from scipy.stats import bootstrap  # noqa: PLC0415

    data, count = [np.asarray(sample, dtype=float) for sample in samples], len(samples[0])
    value = float(statistic(*data, axis=-1))
    if count < 2:
        return Interval(value, count=count)
    if all(each.min() == each.max() for each in data):
        return Interval(value, value, value, count, "bootstrap")
    found = bootstrap(
        data,
        statistic,
        n_resamples=RESAMPLES,
        confidence_level=level,
        method="percentile",
        paired=len(data) > 1,
        rng=rng,
    ).confidence_interval
    return Interval(value, float(found.low), float(found.high), count, "bootstrap")


def rare_interval(events: int, trials: int, level: float) -> Interval:
    """The probability of an event that was seen in some of the trials, by Clopper and Pearson.

    Exact for independent trials, and never too narrow for them; also where no event was seen.
    """
    from scipy.special import betaincinv  # noqa: PLC0415

    tail = (1 - level) / 2
    low = float(betaincinv(events, trials - events + 1, tail)) if events else 0.0
    high = float(betaincinv(events + 1, trials - events, 1 - tail)) if events < trials else 1.0
    return Interval(events / trials, low, high, trials, "clopper-pearson")


def minus(one: Interval, other: Interval) -> Interval:
    """The difference of two estimates whose bounds each hold at half of the risk."""
    value, count = one.value - other.value, min(one.count, other.count)
    if one.low is None or one.high is None or other.low is None or other.high is None:
        return Interval(value, count=count)
    return Interval(value, one.low - other.high, one.high - other.low, count, "bonferroni")


def precise(interval: Interval, precision: float, of: float) -> bool:
    """Whether half of the width is at most a share of a number."""
    half = interval.half
    return half is not None and isfinite(half) and half <= precision * abs(of)
