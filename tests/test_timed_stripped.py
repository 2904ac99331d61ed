"""A stripped kernel does in time what the kernel with its steps does."""

from __future__ import annotations

import inspect

import pytest

from hgeisim.drivers.timed import simulation
from hgeisim.drivers.timed.simulation import simulate
from hgeisim.drivers.timed.stripped import stripped
from hgeisim.kernel.variants import BASES, find_variant
from hgeisim.machine.ops import STEP
from hgeisim.record.fingerprint import fingerprint
from hgeisim.scenario.load import load_scenario
from tests.kernels import ALL_VARIANTS, add_vcpu, booted


def operations(variant: str, strip: bool) -> list[str]:
    """What a vCPU's first update and its release ask of the machine."""
    k = booted(variant, (2, 2))
    if strip:
        k.__class__ = stripped(find_variant(variant))
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
    for name, path in inspect.getmembers(stripped(kernel), inspect.isgeneratorfunction):
        before = getattr(kernel, name)
        assert (path.__name__, path.__doc__) == (name, before.__doc__)
        assert path.__code__.co_filename == before.__code__.co_filename


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["v6.12", "v7.1", "v6.12+percpu-v2", "v7.1+percpu-v5"])
@pytest.mark.parametrize("seed", range(2))
def test_timelines_are_those_of_the_kernel_with_its_steps(
    variant: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario = load_scenario("big-little", {"variant": variant, "seed": seed, "until": "6ms"})
    prints = []
    for strip in (stripped, lambda kernel: kernel):
        monkeypatch.setattr(simulation, "stripped", strip)
        run = simulate(scenario)
        run.run(scenario.run.until)
        prints.append(fingerprint(run.timeline))
    assert prints[0] == prints[1]
