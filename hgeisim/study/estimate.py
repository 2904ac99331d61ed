"""The estimate of a metric from the replications that have a value."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hgeisim.study.metrics import METRICS
from hgeisim.study.statistics import (
    RARE,
    Interval,
    Numbers,
    mean_interval,
    quantile_difference,
    quantile_interval,
    rare_interval,
)

ValuesOf = Callable[[str], list[float]]
"""The values of a metric, one for each replication that has one."""


def estimate(
    metric: str, values_of: ValuesOf, level: float, quantile: float | None = None
) -> Interval | None:
    """A metric with its interval; None if no replication has a value.

    It is a mean, or a quantile in percent, whose bootstrap draws from the stream of the metric.
    The mean of an event that is rare has the bounds of all trials together.
    """
    values, facts = values_of(metric), METRICS[metric]
    if not values:
        return None
    if facts.events and quantile is None:
        events = int(sum(values_of(facts.events)))
        if events < RARE:
            return rare_interval(events, int(sum(values_of(facts.trials))), level)
    return of_numbers(metric, values, level, quantile)


def of_numbers(metric: str, values: Numbers, level: float, quantile: float | None) -> Interval:
    """The mean of some numbers with its interval, or a quantile of them."""
    if quantile is None:
        return mean_interval(values, level)
    return quantile_interval(values, quantile, level, f"bootstrap {metric}")


def of_pairs(
    metric: str, pairs: Sequence[tuple[float, float]], level: float, quantile: float | None
) -> Interval:
    """How much more the first numbers of some pairs are, on average or in a quantile."""
    if quantile is None:
        return mean_interval([one - other for one, other in pairs], level)
    ones, others = zip(*pairs, strict=True)
    return quantile_difference(ones, others, quantile, level, f"bootstrap {metric}")
