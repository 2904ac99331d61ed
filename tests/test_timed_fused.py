"""A stripped kernel does in time what the kernel with its steps does."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from hypothesis import given, settings

from hgeisim.drivers.timed import simulation
from hgeisim.drivers.timed.environment import StockEnvironment
from hgeisim.drivers.timed.fused import fused
from hgeisim.drivers.timed.simulation import simulate
from hgeisim.kernel.variants import BASES, find_variant
from hgeisim.machine.ops import STEP
from hgeisim.record.fingerprint import fingerprint
from hgeisim.record.probes import probed
from hgeisim.scenario.load import scenario_from
from hgeisim.scenario.schema import Scenario
from tests.kernels import ALL_VARIANTS, add_vcpu, booted
from tests.test_timed_consistency import scenarios


def operations(variant: str, strip: bool) -> list[str]:
    """What a vCPU's first update and its release ask of the machine."""
    k = booted(variant, (2, 2))
    if strip:
        k.__class__ = fused(find_variant(variant))
    vcpu = add_vcpu(k, "v", 0)
    update = k.kvm_riscv_vcpu_aia_imsic_update(vcpu.thread, vcpu)
    release = k.kvm_riscv_vcpu_aia_imsic_release(vcpu.thread, vcpu)
    return [str(op) for op in (*update, *release)]


@pytest.mark.parametrize("variant", ALL_VARIANTS)
def test_only_steps_are_gone(variant: str) -> None:
    told = operations(variant, strip=True)
    assert told == [op for op in operations(variant, strip=False) if op != str(STEP)]
    assert len(told) > 20


@pytest.mark.parametrize("variant", BASES)
def test_names_and_docstrings_stay(variant: str) -> None:
    kernel = find_variant(variant)
    for name, path in inspect.getmembers(fused(kernel), inspect.isgeneratorfunction):
        before = getattr(kernel, name)
        assert (path.__name__, path.__doc__) == (name, before.__doc__)
        assert path.__code__.co_filename == before.__code__.co_filename


def fingerprint_of(scenario: Scenario, plainly: bool) -> str:
    """The timeline of a run, with steps and stock processes or with neither."""
    with pytest.MonkeyPatch.context() as patch:
        if plainly:
            patch.setattr(simulation, "fused", lambda kernel: kernel)
        run = simulate(scenario, StockEnvironment() if plainly else None, probed)
    run.run(6_000_000)
    return fingerprint(run.timeline)


@pytest.mark.slow
@settings(max_examples=60, deadline=None, derandomize=True)
@given(raw=scenarios())
def test_timelines_are_those_of_the_plain_way(raw: dict[str, Any]) -> None:
    """No steps and faster lanes, against neither."""
    scenario = scenario_from(raw)
    assert fingerprint_of(scenario, False) == fingerprint_of(scenario, True)


@pytest.mark.proof
@settings(max_examples=1000, deadline=None)
@given(raw=scenarios())
def test_timelines_of_many_more(raw: dict[str, Any]) -> None:
    scenario = scenario_from(raw)
    assert fingerprint_of(scenario, False) == fingerprint_of(scenario, True)
