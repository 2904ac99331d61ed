"""Intervals hold as often as they say: exactly where theory is exact, else within stated odds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from hgeisim.scenario.streams import Streams
from hgeisim.study.statistics import (
    Interval,
    mean_interval,
    minus,
    precise,
    quantile_difference,
    quantile_interval,
    rare_interval,
)

ODDS = 1e-6
"""The probability that a right interval fails a test of coverage, had it another seed."""


def bounds(trials: int, probability: float) -> tuple[int, int]:
    """Between these a count of successes lies, but for ODDS."""
    low, high = stats.binom.ppf([ODDS / 2, 1 - ODDS / 2], trials, probability)
    return int(low), int(high)


def covers(interval: Interval, truth: float) -> bool:
    assert interval.low is not None
    assert interval.high is not None
    return interval.low <= truth <= interval.high


@pytest.mark.slow
@pytest.mark.parametrize(("count", "level"), [(3, 0.95), (10, 0.99)])
def test_the_mean_of_normal_numbers_is_covered_as_often_as_said(count: int, level: float) -> None:
    """Student's t is exact for them, whatever their number."""
    draws = Streams(7).generator("normal").normal(3, 2, (3_000, count))
    hits = sum(covers(mean_interval(row, level), 3) for row in draws)
    low, high = bounds(3_000, level)
    assert low <= hits <= high


@pytest.mark.parametrize("trials", [5, 30])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_a_rare_event_is_covered_at_least_as_often_as_said(trials: int, level: float) -> None:
    """The coverage is a sum over all outcomes: no chance is left."""
    found = [rare_interval(events, trials, level) for events in range(trials + 1)]
    for probability in np.linspace(0.001, 0.999, 97):
        chances = stats.binom.pmf(range(trials + 1), trials, probability)
        hits = [covers(interval, probability) for interval in found]
        assert float(chances @ np.array(hits, dtype=float)) >= level - 1e-12


def test_an_event_that_was_never_seen_has_a_bound() -> None:
    """(1 - p)^n = 2.5 % there."""
    interval = rare_interval(0, 100, 0.95)
    assert (interval.value, interval.low) == (0, 0)
    assert interval.high == pytest.approx(1 - 0.025**0.01)
    assert rare_interval(100, 100, 0.95).high == 1


@pytest.mark.slow
def test_a_median_is_covered_about_as_often_as_said() -> None:
    """The bootstrap is not exact; for a median of 41 numbers it is right in 91 to 98 of 100."""
    draws, truth = Streams(7).generator("exponential").exponential(1, (400, 41)), np.log(2)
    hits = sum(covers(quantile_interval(row, 50, 0.95, "test"), truth) for row in draws)
    assert bounds(400, 0.91)[0] <= hits <= bounds(400, 0.98)[1]


def test_a_bootstrap_is_the_same_each_time_and_has_a_stream_of_its_own() -> None:
    numbers = Streams(3).generator("numbers").normal(size=200)
    one, again, other = (
        quantile_interval(numbers, 37, 0.95, name) for name in ("bootstrap a", "bootstrap a", "b")
    )
    assert one == again
    assert one != other
    assert one.method == "bootstrap"


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=20), st.floats(-1e6, 1e6))
def test_an_interval_moves_with_its_numbers(numbers: list[float], by: float) -> None:
    here, there = mean_interval(numbers, 0.95), mean_interval([n + by for n in numbers], 0.95)
    assert there.value == pytest.approx(here.value + by, abs=1e-3)
    assert there.half == pytest.approx(here.half, abs=1e-3)


@given(st.lists(st.tuples(*[st.floats(-1e3, 1e3)] * 2), min_size=2, max_size=9))
def test_a_difference_of_quantiles_is_turned_round_with_its_sides(
    pairs: list[tuple[float, float]],
) -> None:
    ones, others = zip(*pairs, strict=True)
    there = quantile_difference(ones, others, 90, 0.95, "x")
    back = quantile_difference(others, ones, 90, 0.95, "x")
    assert there.value == pytest.approx(np.percentile(ones, 90) - np.percentile(others, 90))
    for one, other in ((there.value, back.value), (there.low, back.high), (there.high, back.low)):
        assert one == pytest.approx(-(other or 0), abs=1e-9)
    same = quantile_difference(ones, ones, 90, 0.95, "x")
    assert (same.value, same.low, same.high) == (0, 0, 0)


def test_noise_is_no_difference_of_quantiles() -> None:
    """Two samples of one law: its 90 % quantiles are alike, that of the differences is not 0."""
    ones, others = Streams(5).generator("noise").normal(size=(2, 200))
    found = quantile_difference(ones, others, 90, 0.95, "x")
    assert (found.low or 0) < 0 < (found.high or 0)
    assert np.percentile(ones - others, 90) > 1


def test_one_number_has_no_interval() -> None:
    for interval in mean_interval([4], 0.95), quantile_interval([4], 50, 0.95, "x"):
        assert (interval.value, interval.low, interval.half) == (4, None, None)
        assert not precise(interval, 1, 4)


def test_numbers_that_are_all_the_same() -> None:
    for interval in mean_interval([4, 4, 4], 0.95), quantile_interval([4, 4, 4], 50, 0.95, "x"):
        assert (interval.low, interval.high) == (4, 4)
        assert precise(interval, 0.01, 4)


def test_a_difference_of_two_estimates_has_room_for_both() -> None:
    one, other = rare_interval(3, 100, 0.975), rare_interval(0, 100, 0.975)
    found = minus(one, other)
    assert found.value == pytest.approx(0.03)
    assert found.low == pytest.approx((one.low or 0) - (other.high or 0))
    assert minus(one, Interval(0.5)).low is None


def test_precision_is_a_share() -> None:
    interval = Interval(10, 9.8, 10.2, 5, "t")
    assert precise(interval, 0.021, 10)
    assert not precise(interval, 0.019, 10)
    assert not precise(interval, 0.02, 0)
