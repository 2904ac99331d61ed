"""vmid.c: VMIDs that are taken back, and who must not go on with an old one (F-8)."""

from __future__ import annotations

from typing import Any

import pytest

from hgeisim.drivers.explored.explored_scenario import space_of
from hgeisim.drivers.explored.strategies.exhaustive import exhaustive
from hgeisim.drivers.timed.simulation import simulate
from hgeisim.kernel.structs import REQ_UPDATE_HGATP
from hgeisim.kernel.variants import OWN, variant_problem
from hgeisim.kernel.variants.bugs.f_8_fixed import F8Fixed
from hgeisim.kernel.vmid import Vmids
from hgeisim.machine.guest_vmid import guest_vmid
from hgeisim.machine.ops import STEP, Path
from hgeisim.scenario.load import load_scenario
from tests.support import kernels
from tests.support.kernels import V6_12, V7_3
from tests.support.steps import Context

FOUND = "foreign-vmid:vcpu"


def found(variant: str, name: str = "vmid-rollover") -> set[str]:
    """The ids that a search of a scenario finds."""
    space = space_of(load_scenario(name, {"variant": variant}, variant_problem))
    return set(exhaustive(space, 200_000).counterexamples)


@pytest.mark.slow
@pytest.mark.parametrize("base", ["v6.12", "v7.3"])
def test_a_vcpu_may_enter_with_the_old_vmid_of_its_vm(base: str) -> None:
    assert found(base) == {FOUND}
    assert not found(f"{base}+F-8-fixed")


def test_a_vm_gets_another_vmid_once_and_all_of_its_vcpus_are_told() -> None:
    k = kernels.booted(V7_3, [1, 1])
    k.vmids_run_out = True
    a = kernels.owner_on(k, "a", 0)
    b = kernels.add_vcpu(k, "b", 1, vm=a.vm)
    kernels.result(k.kvm_riscv_gstage_vmid_update(a.thread, a), a.thread)
    assert (a.requests, b.requests) == (0, 0), "its VMID is not an old one"
    k.globals.vmid_version = 1
    kernels.result(k.kvm_riscv_gstage_vmid_update(a.thread, a), a.thread)
    assert (a.vm.vmid.version, a.requests, b.requests) == (1, REQ_UPDATE_HGATP, REQ_UPDATE_HGATP)
    a.requests = b.requests = 0
    kernels.result(k.kvm_riscv_gstage_vmid_update(b.thread, b), b.thread)
    assert (a.requests, b.requests) == (0, 0)


def test_whoever_comes_second_looks_again_under_the_lock() -> None:
    k = kernels.booted(V7_3, [1, 1])
    k.vmids_run_out = True
    a = kernels.owner_on(k, "a", 0)
    b = kernels.add_vcpu(k, "b", 1, vm=a.vm)
    k.globals.vmid_version = 1
    second = Context(k.kvm_riscv_gstage_vmid_update(b.thread, b), b.thread).before("lock vmid_lock")
    kernels.result(k.kvm_riscv_gstage_vmid_update(a.thread, a), a.thread)
    a.requests = b.requests = 0
    second.finish()
    assert (a.requests, b.requests) == (0, 0)


def test_a_flush_under_an_old_vmid_makes_it_no_newer() -> None:
    vmid = guest_vmid(None, "vm", 2)
    vmid.flush(0, 2)
    vmid.flush(0, 1)
    assert [vmid.flushed[i] for i in range(2)] == [2, 0]


def test_every_cpu_that_is_online_flushes_and_firmware_does_for_the_others() -> None:
    k = kernels.booted(V6_12, [1, 1, 1])
    k.vmids_run_out = True
    a = kernels.owner_on(k, "a", 0)
    k.hart[2].online = 0
    assert k.cpu_online_mask() == 0b11
    k.globals.vmid_version = 1
    k.flush_all_vms(1)
    assert [a.vm.vmid.flushed[i] for i in range(3)] == [0, 1, 0]
    k.flush_all_vms(2)
    assert [a.vm.vmid.flushed[i] for i in range(3)] == [0, 1, 1]


class TellsNobody(F8Fixed):
    """The new VMID is never written to HGATP."""

    def kvm_riscv_gstage_update_hgatp(k, vcpu: Any) -> Path[None]:
        """Nothing."""
        yield from ()


class FlushesHere(F8Fixed):
    """Only the CPU that takes the VMIDs back flushes."""

    def cpu_online_mask(k) -> int:
        """CPU 2, where the task of the scenario is."""
        return 0b100


class AsksTooEarly(Vmids):
    """The requests before the VMID: who answers early writes the old one."""

    def kvm_riscv_gstage_vmid_update(k, current: Any, vcpu: Any) -> Path[None]:
        """kvm_riscv_gstage_vmid_update with both exchanged."""
        if vcpu is None:
            yield from k.first_user_of_a_version(current)
            return
        yield STEP
        if not k.kvm_riscv_gstage_vmid_ver_changed(vcpu):
            return
        yield k.vmid_lock.lock
        i = 0
        while i < len(vcpu.vm.vcpus):
            yield STEP
            vcpu.vm.vcpus[i].requests |= REQ_UPDATE_HGATP
            i += 1
        yield STEP
        vcpu.vm.vmid.vmid = k.globals.vmid_version
        yield STEP
        vcpu.vm.vmid.version = k.globals.vmid_version
        yield k.vmid_lock.unlock


@pytest.mark.slow
@pytest.mark.parametrize(
    ("patch", "shown"),
    [
        (TellsNobody, FOUND),
        (FlushesHere, FOUND),
        (AsksTooEarly, FOUND),
    ],
)
def test_a_broken_patch_is_found(patch: type, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(OWN, "own.py:Own", patch)
    assert found(f"{V7_3}+own.py:Own") == {shown}


def test_in_time_the_vms_go_on_with_another_vmid() -> None:
    simulation = simulate(load_scenario("vmid-rollover"))
    simulation.run(3_000_000)
    first, second = (simulation.k.vcpu(i) for i in (1, 2))
    assert first.vm.vmid.version == first.hgatp_version == second.hgatp_version == 1
    assert not simulation.findings
