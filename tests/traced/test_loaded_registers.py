"""Loads of registers in traces of v7.2 and v7.3 are full where the model's are, and only there."""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import Any

import pytest

from hgeisim.drivers.traced.conformance import Conformance, check_trace
from hgeisim.drivers.traced.read_trace import Trace, read_trace
from hgeisim.kernel.structs import Thread
from hgeisim.kernel.variants import OWN
from hgeisim.kernel.variants.former_skip import FormerSkip
from hgeisim.machine.ops import STEP, Path
from hgeisim.trace.event_names import Events
from tests.support.traced import follow, run, thread
from tests.support.traces import trace_path

LOADS = {"31-v7.2-migration": (865, 639), "32-v7.3-migration": (844, 626)}
"""Loads in each trace, and full ones."""


@cache
def trace(name: str) -> Trace:
    return read_trace(trace_path(name), Events(), (3,))


class ForgetsFormer(FormerSkip):
    """Registers are written only for a vCPU that was left elsewhere."""

    def registers_to_be_written(k, current: Thread, vcpu: Any) -> Path[int]:
        """Do not look at the vCPU that was loaded last."""
        yield STEP
        return int(vcpu.last_exit_cpu != current.cpu)


class ForgetsExit(FormerSkip):
    """Registers are written only after another vCPU's."""

    def registers_to_be_written(k, current: Thread, vcpu: Any) -> Path[int]:
        """Do not look at the CPU on which the guest was left."""
        here: Any = k.per_cpu[current.cpu]
        yield STEP
        former, here.kvm_former_vcpu = here.kvm_former_vcpu, vcpu.id
        return int(former != vcpu.id)


@pytest.mark.slow
@pytest.mark.parametrize("name", LOADS)
@pytest.mark.parametrize("variant", ["v7.1", "v7.2", "v7.3"])
def test_each_real_load_is_as_in_the_model(name: str, variant: str) -> None:
    result = check_trace(trace(name), variant)
    assert (result.disagreement, result.inferred, result.findings) == (None, [], [])
    assert (result.checked["vload"], result.checked["fload"]) == LOADS[name]


@pytest.mark.slow
@pytest.mark.parametrize("name", LOADS)
def test_a_kernel_without_former_skip_disagrees(name: str) -> None:
    disagreement = check_trace(trace(name), "v7.0").disagreement
    assert disagreement is not None
    assert disagreement.why == ("the load before it wrote no registers, the model writes all",)


@pytest.mark.slow
@pytest.mark.parametrize("mutant", [ForgetsFormer, ForgetsExit])
def test_a_model_that_writes_less_has_to_infer(
    mutant: type[FormerSkip], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each condition alone explains many loads of a real kernel, but not all."""
    monkeypatch.setitem(OWN, "m.py:Mutant", mutant)
    result = check_trace(trace("32-v7.3-migration"), "v7.3+m.py:Mutant")
    assert result.disagreement is None
    assert len(result.inferred) >= 20
    assert all("csr_dirty" in each.text for each in result.inferred)


def load(cpu: int, vcpu: str, last_exit: int, *, full: bool) -> tuple[str, ...]:
    who = f"{cpu} {thread(vcpu)}"
    loaded = f"{who} vload: vcpu={vcpu} cpu={cpu} last_exit={last_exit}"
    return (loaded, f"{who} fload: vcpu={vcpu}") if full else (loaded,)


def put(cpu: int, vcpu: str, vsfile: str = "-1:-1") -> tuple[str, str]:
    at, line = vsfile.split(":")
    who = f"{cpu} {thread(vcpu)}"
    return (
        f"{who} vput: vcpu={vcpu} cpu={cpu}",
        f"{who} imput: vcpu={vcpu} vs_cpu={at} vs_hgei={line}",
    )


FIRST = (*load(1, "v1", -1, full=True), run(1, "v1", 0), *put(1, "v1"))


def disagreements(*steps: str, variant: str = "v7.3") -> Counter[str]:
    found = follow(*steps, variant=variant).disagreement
    return Counter(found.why if found else ())


WROTE_NONE = {"the load before it wrote no registers, the model writes all": 1}


def test_a_load_that_finds_its_registers() -> None:
    assert not disagreements(*FIRST, *load(1, "v1", 1, full=False), run(1, "v1", 0))


def test_another_vcpu_was_loaded_between() -> None:
    between = (*FIRST, *load(1, "v2", -1, full=True), *put(1, "v2"))
    assert not disagreements(*between, *load(1, "v1", 1, full=True), run(1, "v1", 0))
    skips = (*between, *load(1, "v1", 1, full=False), run(1, "v1", 0))
    assert disagreements(*skips) == WROTE_NONE


def test_the_guest_was_left_elsewhere() -> None:
    skips = (*FIRST, *load(1, "v1", 0, full=False), *put(1, "v1"))
    assert disagreements(*skips) == WROTE_NONE


def test_a_load_that_writes_more_is_explained() -> None:
    result = follow(*FIRST, *load(1, "v1", 1, full=True), run(1, "v1", 0), variant="v7.3")
    assert result.disagreement is None
    (inferred,) = result.inferred
    assert inferred.text == "user space has changed registers of v1 (csr_dirty)"


OFF_AND_ON = ("1 cpuhp/1-20 dis: ", "1 cpuhp/1-20 dis_ret: ", "1 cpuhp/1-20 en: ")


@pytest.mark.parametrize(("variant", "wrong"), [("v7.2", {}), ("v7.3", WROTE_NONE)])
def test_a_cpu_that_was_off_has_no_registers(variant: str, wrong: dict[str, int]) -> None:
    """FV-1 in a trace: v7.2 skips the load, v7.3 does not."""
    skips = (*FIRST, *OFF_AND_ON, *load(1, "v1", 1, full=False), run(1, "v1", 0))
    assert disagreements(*skips, variant=variant) == wrong


def test_an_interrupt_within_a_load_does_not_end_it() -> None:
    who = f"1 {thread('v1')}"
    vload, fload = load(1, "v1", -1, full=True)
    kick = f"{who} kick: vcpu=v2 cpu=-1 mode=0"
    assert not disagreements(*load(0, "v2", -1, full=True), vload, kick, fload, run(1, "v1", 0))


def test_a_put_names_the_vsfile_that_the_vcpu_has() -> None:
    steps = (*load(1, "v1", -1, full=True), run(1, "v1", 0), *put(1, "v1", "1:2"))
    found: Conformance = follow(*steps, run(1, "v1", 0), variant="v7.3")
    assert found.disagreement is not None
    assert found.disagreement.why == (
        "line 5 names CPU 1 line 2 of v1, which has no VS-file up to here",
    )


def test_without_full_loads_in_the_trace_nothing_is_asked() -> None:
    steps = [each for each in FIRST if " fload:" not in each]
    assert not disagreements(*steps, *load(1, "v1", 1, full=False), run(1, "v1", 0))


def test_a_load_of_another_vcpu_than_its_full_load() -> None:
    first, _ = load(1, "v1", -1, full=True)
    steps = (*load(2, "v2", -1, full=True), first, f"1 {thread('v1')} fload: vcpu=v2")
    assert disagreements(*steps) == {"is about v2, the load is about v1": 1}


def test_a_full_load_without_a_load() -> None:
    twice = (*FIRST, f"1 {thread('v1')} fload: vcpu=v1")
    assert disagreements(*twice) == {"no load of this thread is under way": 1}


def test_a_load_names_the_cpu_that_its_thread_is_on() -> None:
    wrong = f"1 {thread('v1')} vload: vcpu=v1 cpu=77 last_exit=-1"
    assert disagreements(*FIRST, wrong) == {"has cpu=77, its thread is on CPU 1": 1}


def test_a_guest_was_left_on_a_cpu_that_exists() -> None:
    assert disagreements(*FIRST, *load(1, "v1", 9, full=True)) == {
        "has last_exit=9, the last CPU is 3": 1
    }
