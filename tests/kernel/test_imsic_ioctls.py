"""aia_imsic.c: traps of the guest, ioctls of the monitor, reset and the end of a vCPU."""

from __future__ import annotations

import pytest

from hgeisim.checks.guest import OwnVsFile
from hgeisim.drivers.run_to_end import run_alone
from hgeisim.kernel.main import Module
from hgeisim.kernel.structs import IRQ_VS_EXT, REQ_VCPU_RESET, Vcpu
from hgeisim.machine.interrupt_file import topei
from tests.support import kernels
from tests.support.kernels import (
    BASES,
    FROM_V7_2,
    STABLE,
    UP_TO_V7_0,
    V2,
    V5,
    V6_12,
    asleep,
    enter,
    msi,
    owner_on,
    registers,
    run,
    vsfile,
)
from tests.support.steps import Context, in_order, story, writes

# traps on the SW-file


def test_a_claim_takes_the_lowest_identity_and_updates_the_external_interrupt() -> None:
    k, memory = kernels.tracked(V6_12, [0])
    a = owner_on(k, "a", 0)
    msi(k, a, 3)
    msi(k, a, 5)
    claim = k.kvm_riscv_vcpu_aia_imsic_rmw_topei
    assert story(memory, claim(a.thread, a), a.thread)[:5] == [
        "start",
        "step",
        "step | a.swfile.eip = 32",
        "lock a.swfile_extirq_lock",
        "step | a.irqs_pending = 1024",
    ]
    assert writes(story(memory, claim(a.thread, a), a.thread)) == [
        "a.swfile.eip = 0",
        "a.irqs_pending = 0",
        "a.irqs_pending_mask = 1024",
    ]


def test_a_claim_takes_no_vsfile_lock() -> None:
    k, memory = kernels.tracked(V6_12, [0])
    a = owner_on(k, "a", 0)
    told = story(memory, k.kvm_riscv_vcpu_aia_imsic_rmw_topei(a.thread, a), a.thread)
    assert not [line for line in told if "vsfile_lock" in line]


@pytest.mark.parametrize("threshold", [0, 3, 4])
def test_a_claim_honours_the_threshold(threshold: int) -> None:
    k = kernels.booted(V6_12, [0])
    a = owner_on(k, "a", 0)
    a.swfile.eithreshold = threshold
    msi(k, a, 3)
    run_alone(k.kvm_riscv_vcpu_aia_imsic_rmw_topei(a.thread, a), a.thread)
    taken = topei(0b1000, a.swfile.eie, threshold)
    assert a.swfile.eip == (0 if taken else 0b1000)


def test_setting_up_a_sw_file_delivers_what_is_there_once_delivery_is_on() -> None:
    k, memory = kernels.tracked(V6_12, [0])
    a = kernels.add_vcpu(k, "a", 0)
    msi(k, a, 3)
    path = k.kvm_riscv_vcpu_aia_imsic_rmw_setup(a.thread, a, 0b1000)
    assert writes(story(memory, path, a.thread)) == [
        "a.swfile.eie = 8",
        "a.irqs_pending = 0",
        "a.irqs_pending_mask = 1024",
        "a.swfile.eidelivery = 1",
        "a.irqs_pending = 1024",
        "a.irqs_pending_mask = 1024",
    ]


# rw_attr

SERIALIZED = (STABLE, *FROM_V7_2)
"""Where it takes vcpu->mutex inside of kvm->lock."""


def reading(k: Module, vcpu: Vcpu) -> Context[None]:
    """An ioctl that reads eidelivery, from HART 2."""
    monitor = k.add_thread("monitor", 2)
    return Context(k.kvm_riscv_aia_imsic_rw_attr(monitor, vcpu), monitor)


def read_by(k: Module, path: Context[None]) -> int:
    """The value that an ioctl has read."""
    return next(thread for thread in k.threads if thread is path.who).data.value


@pytest.mark.parametrize("variant", [*BASES, STABLE])
def test_rw_attr_of_a_sw_file_is_done_under_vsfile_lock(variant: str) -> None:
    k, memory = kernels.tracked(variant, [0])
    a, monitor = owner_on(k, "a", 0), k.add_thread("monitor", 0)
    mutex = ["a.mutex"] if variant in SERIALIZED else []
    assert story(memory, k.kvm_riscv_aia_imsic_rw_attr(monitor, a), monitor) == [
        "start",
        "mutex_lock a.vm.lock",
        *(f"mutex_lock {each}" for each in mutex),
        "read_lock a.vsfile_lock",
        "step | a.swfile.eidelivery = 1 | monitor.data.value = 1",
        "read_unlock a.vsfile_lock",
        *(f"mutex_unlock {each}" for each in mutex),
        "mutex_unlock a.vm.lock",
    ]


@pytest.mark.parametrize("variant", [*BASES, STABLE])
def test_rw_attr_of_a_vsfile_is_an_ipi_after_the_lock(variant: str) -> None:
    """The mutexes are held until it was answered."""
    k = kernels.booted(variant, [1] * 3)
    a = owner_on(k, "a", 0)
    path = reading(k, a).before("IPI imsic_vsfile_local_rw")
    assert a.vsfile_lock.readers_inside == 0
    held = path.who.id if variant in SERIALIZED else 0
    assert (a.vm.lock.owner, a.mutex.owner) == (path.who.id, held)
    path.finish()
    assert read_by(k, path) == 1
    assert (k.hart[0].vgein, k.hart[0].vsfile_of) == (0, 0)
    assert (a.vm.lock.owner, a.mutex.owner) == (0, 0)


@pytest.mark.parametrize("variant", SERIALIZED)
def test_rw_attr_keeps_the_vcpu_from_moving(variant: str) -> None:
    """The fix of bug B-10: KVM_RUN waits for vcpu->mutex."""
    k = kernels.booted(variant, [1] * 3)
    a = owner_on(k, "a", 0)
    path = reading(k, a).before("IPI imsic_vsfile_local_rw")
    a.thread.cpu = 1
    move = Context(kernels.running(k, a), a.thread)
    assert (move.step(), vsfile(a)) == (False, (0, 1))
    path.finish()
    move.finish()
    assert (read_by(k, path), vsfile(a)) == (1, (1, 1))


@pytest.mark.parametrize("variant", SERIALIZED)
def test_rw_attr_holds_kvm_lock_while_the_vcpu_runs(variant: str) -> None:
    """RA-1: it waits for KVM_RUN to return."""
    k = kernels.booted(variant, [1] * 3)
    a = owner_on(k, "a", 0)
    guest = Context(kernels.running(k, a), a.thread).before("guest_run a")
    path = reading(k, a).after("mutex_lock a.vm.lock")
    assert (path.step(), a.vm.lock.owner) == (False, path.who.id)
    guest.finish()
    path.finish()
    assert a.vm.lock.owner == 0


@pytest.mark.parametrize("variant", UP_TO_V7_0)
def test_rw_attr_may_read_the_file_that_somebody_else_has_by_now(variant: str) -> None:
    """Bug B-10: nothing keeps the vCPU from moving between the lock and the IPI."""
    k = kernels.booted(variant, [1] * 3)
    a = owner_on(k, "a", 0)
    k.hart[0].eidelivery[1] = 0
    path = reading(k, a).before("IPI imsic_vsfile_local_rw")
    enter(k, a, 1)
    b = owner_on(k, "b", 0)
    assert (vsfile(a), vsfile(b)) == ((1, 1), (0, 1))
    hardirq, monitor = k.hardirq("hardirq", 1, 0), k.threads[-2]
    ipi = Context(k.imsic_vsfile_local_rw(hardirq, monitor), hardirq)
    assert [finding.id for finding in OwnVsFile().state(k)] == ["foreign-vsfile:hgei"]
    ipi.finish()
    path.finish()
    assert read_by(k, path) == 1, "the eidelivery of b"


# reset


def test_a_reset_releases_first_and_then_clears_the_sw_file() -> None:
    k, memory = kernels.tracked(V6_12, [1])
    a = owner_on(k, "a", 0)
    msi(k, a, 3)
    told = story(memory, k.kvm_riscv_vcpu_aia_imsic_reset(a.thread, a), a.thread)
    order = ["a.vsfile_cpu = -1", "a.pte_cpu = -1", "sweep VS-file", "a.swfile.eip = 8"]
    assert in_order(told, *order, "hgei0.owners[1] = 0", "a.swfile.eip = 0") == []
    assert (registers(k, a), k.hgei[0].free_bitmap) == ((0, 0, 0, 0), 0b10)


@pytest.mark.parametrize("variant", BASES)
def test_a_reset_request_is_served_by_the_vcpu_between_put_and_load(variant: str) -> None:
    k, memory = kernels.tracked(variant, [1])
    a = owner_on(k, "a", 0)
    k.hart[0].eithreshold[1] = 4
    msi(k, a, 3)
    a.requests |= REQ_VCPU_RESET
    told = story(memory, kernels.running(k, a), a.thread)
    order = ["a.cpu = 0", "a.requests = 0", "preempt_disable", "a.cpu = -1", "a.vsfile_cpu = -1"]
    order += ["a.booted = 0", "a.cpu = 0", "preempt_enable", "hgei0.owners[1] = 1", "a.booted = 1"]
    assert in_order(told, *order) == []
    assert (vsfile(a), registers(k, a)) == ((0, 1), (1, 0, 0, 0b1111110))


def test_after_a_reset_the_guest_sets_its_file_up_from_the_beginning() -> None:
    k = kernels.booted(V6_12, [0])
    a = owner_on(k, "a", 0)
    a.swfile.eithreshold = 4
    msi(k, a, 3)
    a.requests |= REQ_VCPU_RESET
    run(k, a)
    assert registers(k, a) == (1, 0, 0, 0b1111110)
    assert not a.irqs_pending & IRQ_VS_EXT


# the end of a vCPU


@pytest.mark.parametrize("variant", BASES)
def test_cleanup_detaches_long_before_it_frees(variant: str) -> None:
    k, memory = kernels.tracked(variant, [1])
    a = owner_on(k, "a", 0)
    path = k.kvm_riscv_vcpu_aia_imsic_cleanup(k.threads[0], a)
    assert story(memory, path, k.threads[0]) == [
        "start",
        "write_lock a.vsfile_lock | a.vsfile_cpu = -1 | a.vsfile_hgei = -1",
        "write_unlock a.vsfile_lock",
        "step | a.swfile.eip = 0",
        "step | a.swfile.eie = 0",
        "step | a.swfile.eithreshold = 0 | a.swfile.eidelivery = 0",
        "lock hgei0.lock",
        "step",
        "step | hgei0.free_bitmap = 2",
        "step | hgei0.owners[1] = 0",
        "unlock hgei0.lock",
        "mutex_lock a.vm.slots_lock",
        "synchronize_srcu a.vm.srcu",
        "mutex_unlock a.vm.slots_lock",
        "vm_teardown | a.freed = 1",
    ]


def test_cleanup_of_a_vcpu_without_a_vsfile_takes_no_hgei_lock() -> None:
    k, memory = kernels.tracked(V6_12, [0])
    a = owner_on(k, "a", 0)
    path = k.kvm_riscv_vcpu_aia_imsic_cleanup(k.threads[0], a)
    assert not [line for line in story(memory, path, k.threads[0]) if "hgei0" in line]


def test_cleanup_waits_for_the_readers_of_the_io_bus() -> None:
    k = kernels.booted(V6_12, [1])
    vm = k.add_vm("vm")
    a, b = (owner_on(k, name, 0, vm=vm) for name in "ab")
    vm.srcu.srcu_read_lock.end(b.thread)
    cleanup = Context(k.kvm_riscv_vcpu_aia_imsic_cleanup(k.threads[0], a), k.threads[0])
    cleanup.before("synchronize_srcu vm.srcu")
    assert not cleanup.step()
    assert (a.freed, k.hgei[0].owners[1]) == (0, 0)
    vm.srcu.srcu_read_unlock.end(b.thread)
    cleanup.finish()
    assert a.freed


def test_all_of_cleanup_can_be_preempted() -> None:
    """F3: also between the detach and free_hgei."""
    k = kernels.booted(V6_12, [1])
    a = owner_on(k, "a", 0)
    cleanup = Context(k.kvm_riscv_vcpu_aia_imsic_cleanup(k.threads[0], a), k.threads[0])
    cleanup.after("write_unlock a.vsfile_lock").before("lock hgei0.lock")
    assert (vsfile(a), k.hgei[0].owners[1]) == ((-1, -1), a.id)
    assert k.hart[0].preemptible()


# a destroyer that stands between the detach and free_hgei while its CPU goes off and on


def zombie(k: Module, vcpu: Vcpu) -> Context[None]:
    destroyer = k.add_thread("destroy", 1)
    path = k.kvm_riscv_vcpu_aia_imsic_cleanup(destroyer, vcpu)
    return Context(path, destroyer).before("lock hgei0.lock")


def test_percpu_v2_lets_a_late_free_give_away_the_line_of_another() -> None:
    k = kernels.booted(V2, [1, 1, 1])
    a, b, c = owner_on(k, "a", 0), owner_on(k, "b", 1), owner_on(k, "c", 2)
    late = zombie(k, a)
    kernels.online_again(k, 0)
    enter(k, b, 0)
    late.finish()
    enter(k, c, 0)
    assert vsfile(b) == vsfile(c) == (0, 1)


def test_percpu_v2_keeps_a_freed_owner_when_the_late_free_comes_before_the_next_alloc() -> None:
    k = kernels.booted(V2, [1, 1])
    a = owner_on(k, "a", 0)
    late = zombie(k, a)
    kernels.online_again(k, 0)
    late.finish()
    assert (k.hgei[0].free_bitmap, k.hgei[0].owners[1], a.freed) == (0b10, a.id, 1)


@pytest.mark.parametrize("variant", [*BASES, V5])
def test_elsewhere_a_late_free_gives_back_its_own_line(variant: str) -> None:
    k = kernels.booted(variant, [1, 1, 1])
    a, b, c = owner_on(k, "a", 0), owner_on(k, "b", 1), owner_on(k, "c", 2)
    late = zombie(k, a)
    kernels.online_again(k, 0)
    enter(k, b, 0)
    assert vsfile(b) == (-1, -1)
    late.finish()
    enter(k, c, 0)
    assert vsfile(c) == (0, 1)
    assert (k.hgei[0].free_bitmap, k.hgei[0].owners[1]) == (0, c.id)


# offline against update: aia_disable knows the owner, not the VS-file it releases


def disabling(k: Module) -> Context[None]:
    cpuhp = k.add_thread("cpuhp/0", 0)
    return Context(k.kvm_riscv_aia_disable(cpuhp), cpuhp)


@pytest.mark.parametrize("variant", BASES)
def test_offline_may_release_the_line_that_the_vcpu_has_just_moved_to(variant: str) -> None:
    k = kernels.booted(variant, [1, 1])
    a = owner_on(k, "a", 0)
    msi(k, a)
    disable = disabling(k).before("write_lock a.vsfile_lock")
    a.thread.cpu = 1
    move = Context(kernels.entering(k, a), a.thread)
    move.before("IPI imsic_vsfile_local_read")
    assert vsfile(a) == (1, 1)
    disable.before("lock hgei1.lock")
    assert vsfile(a) == (-1, -1)
    disable.finish()
    assert move.finish() == 1
    assert (vsfile(a), a.vgein) == ((-1, -1), 1)
    assert k.hgei[1].owners[1] == 0
    assert k.hart[1].hgeip == 0b10


def test_offline_may_leave_what_is_pending_in_the_sw_file_of_a_vcpu_with_a_vsfile() -> None:
    k = kernels.booted(V6_12, [1, 1])
    a = owner_on(k, "a", 0)
    msi(k, a)
    disable = disabling(k).before("sweep VS-file")
    enter(k, a, 1)
    disable.finish()
    assert vsfile(a) == (1, 1)
    assert a.swfile.eip == 0b10
    assert k.hart[1].hgeip == 0


def test_what_offline_put_in_the_sw_file_before_update_switched_goes_along() -> None:
    k = kernels.booted(V6_12, [1, 1])
    a = asleep(owner_on(k, "a", 0))
    msi(k, a, 3)
    disabling(k).finish()
    assert registers(k, a) == (1, 0, 0b1000, 0b1111110)
    enter(k, a, 1)
    assert (vsfile(a), a.swfile.eip) == ((1, 1), 0)
    assert registers(k, a) == (1, 0, 0b1000, 0b1111110)
