"""Exact results: against values computed elsewhere, and against laws that they must keep."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest

from hgeisim.study.theory import (
    availability,
    engset,
    erlang_b,
    machine_repair,
    mean_wait,
    round_robin,
    stretched,
)


def near(value: float, digits: int = 9) -> object:
    """A number that was printed with some places after the point."""
    return pytest.approx(value, rel=0, abs=0.51 * 10**-digits)


def test_lost_calls() -> None:
    assert erlang_b(5, 3.0) == near(0.110054348)
    assert 3.0 * (1 - erlang_b(5, 3.0)) == near(2.669837, 6)
    assert erlang_b(11, 8.0) == near(0.081288320)
    assert 8.0 * (1 - erlang_b(11, 8.0)) == near(7.349693, 6)
    assert erlang_b(0, 3.0) == 1


def test_few_sources() -> None:
    found = engset(8, 5, 0.8)
    assert found.all_taken == near(0.181658636)
    assert found.blocked == near(0.116282465)
    assert found.taken == near(3.313344, 6)


def test_many_sources_are_a_poisson_process() -> None:
    """The limit of Engset is Erlang; the distance goes as 1 / sources."""
    found = engset(10**6, 5, 3.0 / 10**6)
    assert found.blocked == pytest.approx(erlang_b(5, 3.0), rel=1e-4)
    assert found.all_taken == pytest.approx(erlang_b(5, 3.0), rel=1e-4)


def test_sources_with_a_line_each_never_lose() -> None:
    found = engset(4, 4, 0.5)
    assert found.blocked == 0
    assert found.all_taken == pytest.approx((1 / 3) ** 4)
    assert found.taken == pytest.approx(4 / 3)
    assert engset(3, 4, 0.5).all_taken == 0


def test_engset_keeps_flow() -> None:
    """Lines are taken as often as they are given back."""
    sources, lines, alpha = 9, 4, 0.3
    states = np.array([comb(sources, n) * alpha**n for n in range(lines + 1)])
    states /= states.sum()
    up = sum(states[n] * (sources - n) * alpha for n in range(lines))
    assert engset(sources, lines, alpha).taken == pytest.approx(up)


def test_waits() -> None:
    assert mean_wait([(300, 1)], 600) == near(150.0)
    mixed = [(250, 0.425), (150, 0.425), (200, 0.15)]
    assert mean_wait(mixed, 400) == near(105.3125)


@pytest.mark.parametrize(
    ("parameters", "rate", "response", "inside"),
    [
        ((8, 2000, 300), 2.801163033, 855.956582, 2.397674),
        ((64, 10_000, 250), 3.999544196, 6001.823424, 24.004558),
    ],
)
def test_machine_repair(
    parameters: tuple[int, float, float], rate: float, response: float, inside: float
) -> None:
    threads, think, hold = parameters
    found = machine_repair(threads, think, hold)
    assert found.rate * 1000 == near(rate)
    assert found.response == near(response, 6)
    assert found.inside == near(inside, 6)
    assert found.rate * (think + found.response) == pytest.approx(threads)


def test_one_thread_never_waits() -> None:
    assert machine_repair(180, 300, 300).inside == pytest.approx(179)
    assert machine_repair(511, 1, 1e9).inside == pytest.approx(511)
    assert machine_repair(100, 1, 1e6).response == pytest.approx(100 * 1e6 - 1)
    assert engset(1000, 63, 1e6).taken == pytest.approx(63, rel=1e-4)
    assert machine_repair(1, 2000, 300).response == pytest.approx(300)
    assert machine_repair(512, 2000, 300).rate == pytest.approx(1 / 300)


def test_the_rest() -> None:
    assert round_robin(16, 250, 40) == (4640, 4390)
    assert availability(4_000, 200) == near(0.952380952)
    assert stretched(20_000, 120_000, 500) == near(20_083.682, 3)
