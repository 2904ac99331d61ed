"""Many runs in one process: nothing is left of one when it is over."""

from __future__ import annotations

import gc

import pytest

import hgeisim
from hgeisim.drivers.timed.fused import fused
from hgeisim.drivers.timed.simulation import simulate
from hgeisim.kernel.state import Kernel
from hgeisim.scenario.load import load_scenario

RUNS = 12
SCENARIO = {"until": "200us", "variant": "v7.0+percpu-v5"}


def classes() -> int:
    """How many kernels there are, all levels down."""
    found, left = set[type](), [Kernel]
    while left:
        new = left.pop().__subclasses__()
        left += [cls for cls in new if cls not in found]
        found.update(new)
    return len(found)


def objects() -> int:
    gc.collect()
    return len(gc.get_objects())


@pytest.mark.slow
def test_runs_do_not_pile_up() -> None:
    scenario = hgeisim.load("big-little", **SCENARIO)
    counts = []
    for number in range(RUNS):
        hgeisim.run(scenario)
        if number in (2, RUNS - 1):
            counts.append((classes(), objects()))
    (classes_before, objects_before), (classes_after, objects_after) = counts
    assert classes_after == classes_before
    assert objects_after - objects_before < 50


@pytest.mark.slow
def test_fused_kernels_are_made_once() -> None:
    scenario = load_scenario("big-little", SCENARIO)
    kernels = {type(simulate(scenario, form=fused).k) for _ in range(3)}
    assert len(kernels) == 1
    assert len({type(simulate(scenario).k) for _ in range(3)}) == 1
