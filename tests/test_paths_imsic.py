"""aia_imsic.c: VS-files move with the vCPU, and with them what is pending."""

from __future__ import annotations

import pytest

from hgeisim.drivers.alone import run_alone
from hgeisim.kernel.cpuhp import Cpuhp
from hgeisim.kernel.state import AUTO, HWACCEL, Vcpu
from tests import kernels
from tests.kernels import (
    ALL_VARIANTS,
    V2,
    V5,
    V6_12,
    Context,
    enter,
    msi,
    owner_on,
    pending,
    vsfile,
)

# update


def test_a_vcpu_keeps_its_line_where_it_is() -> None:
    k = kernels.booted(V6_12, [2, 2])
    a = owner_on(k, "a", 0)
    before = k.hgei[0].free_bitmap
    assert enter(k, a) == 1
    assert (vsfile(a), k.hgei[0].free_bitmap) == ((0, 1), before)


def test_a_move_takes_the_new_line_before_it_gives_the_old_one_back() -> None:
    k, memory = kernels.tracked(V6_12, [1, 1])
    a = owner_on(k, "a", 0)
    a.thread.cpu = 1
    path = k.kvm_riscv_vcpu_aia_imsic_update(a.thread, a)
    assert kernels.story(memory, path, a.thread) == [
        "start",
        "step",
        "lock hgei1.lock",
        "step | hgei1.free_bitmap = 0",
        "step | hgei1.owners[1] = 1",
        "unlock hgei1.lock",
        "step | hart1.vgein = 1",
        "sweep VS-file | hart1.hgeip = 0 | hart1.vgein = 0",
        "step | a.vsfile_cpu = 1 | a.vsfile_hgei = 1 | vcpu/a.read_hgei = 1",
        "IPI hart0 imsic_vsfile_local_read"
        " | hart0.vgein = 0 | vcpu/a.read_mrif = 0 | hart0.hgeip = 0 | vcpu/a.read_hgei = 0",
        "lock hgei0.lock",
        "step",
        "step | hgei0.free_bitmap = 2",
        "step | hgei0.owners[1] = 0",
        "unlock hgei0.lock | a.vgein = 1",
    ]


@pytest.mark.parametrize("variant", ALL_VARIANTS)
def test_without_a_free_line_auto_falls_back_to_the_sw_file(variant: str) -> None:
    k = kernels.booted(variant, [1, 1])
    a, b = owner_on(k, "a", 0, AUTO), owner_on(k, "b", 1, AUTO)
    assert enter(k, a, 1) == 1
    assert vsfile(a) == (-1, -1)
    assert k.hgei[0].free_bitmap == 0b10
    assert (k.hgei[0].owners[1], k.hgei[1].owners[1]) == (0, b.id)


@pytest.mark.parametrize("variant", ALL_VARIANTS)
def test_without_a_free_line_hwaccel_fails_and_keeps_the_old_line(variant: str) -> None:
    k = kernels.booted(variant, [1, 1])
    a, b = owner_on(k, "a", 0, HWACCEL), owner_on(k, "b", 1, AUTO)
    assert enter(k, a, 1) == 0
    assert vsfile(a) == (0, 1)
    assert (k.hgei[0].owners[1], k.hgei[1].owners[1]) == (a.id, b.id)


@pytest.mark.parametrize("mode", [AUTO, HWACCEL])
def test_the_first_entry_without_a_free_line(mode: str) -> None:
    k = kernels.booted(V6_12, [0])
    a = k.add_vcpu("a", 0, mode)
    assert enter(k, a) == (mode == AUTO)
    assert vsfile(a) == (-1, -1)


def test_auto_asks_again_at_every_entry() -> None:
    k = kernels.booted(V6_12, [1])
    a, b = owner_on(k, "a", 0), owner_on(k, "b", 0)
    assert vsfile(b) == (-1, -1)
    run_alone(k.kvm_riscv_vcpu_aia_imsic_cleanup(a), k.threads[0])
    assert enter(k, b) == 1
    assert vsfile(b) == (0, 1)


def test_a_new_vsfile_is_cleared_first() -> None:
    k = kernels.booted(V6_12, [2])
    k.hart[0].hgeip = 0b110
    a = owner_on(k, "a", 0)
    assert (vsfile(a), k.hart[0].hgeip) == ((0, 1), 0b100)


# what is pending moves along


def test_pending_moves_from_vsfile_to_vsfile() -> None:
    k = kernels.booted(V6_12, [2, 2])
    owner_on(k, "other", 1)
    a = owner_on(k, "a", 0)
    msi(k, a)
    assert pending(k) == ([0b10, 0], [0, 0])
    enter(k, a, 1)
    assert vsfile(a) == (1, 2)
    assert pending(k) == ([0, 0b100], [0, 0])


def test_pending_moves_to_the_sw_file_and_back() -> None:
    k = kernels.booted(V6_12, [1, 1, 1])
    a = owner_on(k, "a", 0)
    owner_on(k, "b", 1)
    msi(k, a)
    enter(k, a, 1)
    assert pending(k) == ([0, 0, 0], [1, 0])
    enter(k, a, 2)
    assert vsfile(a) == (2, 1)
    assert pending(k) == ([0, 0, 0b10], [0, 0])


def test_nothing_pending_stays_nothing() -> None:
    k = kernels.booted(V6_12, [1, 1, 1])
    a = owner_on(k, "a", 0)
    owner_on(k, "b", 1)
    enter(k, a, 1)
    enter(k, a, 2)
    assert pending(k) == ([0, 0, 0], [0, 0])


def test_a_sweep_leaves_the_other_files_alone() -> None:
    k = kernels.booted(V6_12, [3, 3])
    a, b = owner_on(k, "a", 0), owner_on(k, "b", 0)
    msi(k, a)
    msi(k, b)
    enter(k, a, 1)
    assert pending(k) == ([0b100, 0b10], [0, 0])


def test_an_ipi_to_an_offline_hart_finds_nothing() -> None:
    k = kernels.booted(V6_12, [1, 1])
    a = owner_on(k, "a", 0)
    msi(k, a)
    k.hart[0].online = 0
    enter(k, a, 1)
    assert vsfile(a) == (1, 1)
    assert pending(k) == ([0b10, 0], [0])
    assert (a.thread.ipi_to, a.thread.read_hgei, a.thread.read_mrif) == (0, 0, 0)


def test_release_is_for_vcpus_with_a_vsfile_only() -> None:
    k, memory = kernels.tracked(V6_12, [0])
    a = owner_on(k, "a", 0)
    path = k.kvm_riscv_vcpu_aia_imsic_release(k.threads[0], a)
    assert kernels.story(memory, path, k.threads[0]) == ["start", "step"]


def test_an_msi_into_the_sw_file_wakes_a_sleeper() -> None:
    k = kernels.booted(V6_12, [0])
    a = owner_on(k, "a", 0)
    a.wait.waiter = 1
    msi(k, a)
    assert (a.sw_pending, a.wait.woken) == (1, 1)


def test_an_msi_into_the_vsfile_lets_sgei_look() -> None:
    k = kernels.booted(V6_12, [2])
    a = owner_on(k, "a", 0)
    context = Context(k.kvm_riscv_vcpu_aia_imsic_inject(a), k.threads[0]).before("sgei hart0")
    assert k.hart[0].hgeip == 0b10
    context.finish()
    assert not k.hart[0].sgei_pending()
    k.hart[0].hgeie = 0b10
    assert k.hart[0].sgei_pending()


def test_an_injected_msi_kicks_the_owner_of_a_vsfile() -> None:
    k = kernels.booted(V6_12, [1])
    a = owner_on(k, "a", 0)
    a.wait.waiter = 1
    msi(k, a)
    assert a.wait.woken == 1


def test_a_release_with_something_pending_kicks_the_vcpu() -> None:
    k = kernels.booted(V6_12, [1])
    a = owner_on(k, "a", 0)
    msi(k, a)
    a.wait.waiter, a.wait.woken = 1, 0
    run_alone(k.kvm_riscv_vcpu_aia_imsic_release(k.threads[0], a), k.threads[0])
    assert (a.sw_pending, a.wait.woken) == (1, 1)


# destruction


def test_cleanup_detaches_long_before_it_frees() -> None:
    k, memory = kernels.tracked(V6_12, [1])
    a = owner_on(k, "a", 0)
    path = k.kvm_riscv_vcpu_aia_imsic_cleanup(a)
    assert kernels.story(memory, path, k.threads[0]) == [
        "start",
        "step | a.vsfile_cpu = -1 | a.vsfile_hgei = -1",
        "step | a.sw_pending = 0",
        "lock hgei0.lock",
        "step",
        "step | hgei0.free_bitmap = 2",
        "step | hgei0.owners[1] = 0",
        "unlock hgei0.lock",
        "vm_teardown | a.freed = 1",
    ]


def test_cleanup_of_a_vcpu_without_a_vsfile_takes_no_lock() -> None:
    k, memory = kernels.tracked(V6_12, [0])
    a = owner_on(k, "a", 0)
    path = k.kvm_riscv_vcpu_aia_imsic_cleanup(a)
    told = kernels.story(memory, path, k.threads[0])
    assert [line.split(" |")[0] for line in told] == ["start", "step", "step", "vm_teardown"]


def zombie(k: Cpuhp, vcpu: Vcpu) -> Context[None]:
    """A destroyer that stands between the detach and free_hgei."""
    destroyer = k.add_thread("destroy", 1)
    return Context(k.kvm_riscv_vcpu_aia_imsic_cleanup(vcpu), destroyer).before("lock hgei0.lock")


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


@pytest.mark.parametrize("variant", [V6_12, V5])
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


def test_offline_may_release_the_line_that_the_vcpu_has_just_moved_to() -> None:
    k = kernels.booted(V6_12, [1, 1])
    a = owner_on(k, "a", 0)
    msi(k, a)
    cpuhp = k.add_thread("cpuhp/0", 0)
    disable = Context(k.kvm_riscv_aia_disable(cpuhp), cpuhp)
    a.thread.cpu = 1
    move = Context(kernels.entering(k, a), a.thread)
    move.before("IPI hart0 imsic_vsfile_local_read")
    assert vsfile(a) == (1, 1)
    disable.before("lock hgei1.lock")
    assert vsfile(a) == (-1, -1)
    disable.finish()
    assert move.finish() == 1
    assert vsfile(a) == (-1, -1)
    assert k.hgei[1].owners[1] == 0
    assert pending(k) == ([0, 0b10], [0])


def test_offline_may_leave_the_pending_bit_in_the_sw_file_of_a_vcpu_with_a_vsfile() -> None:
    k = kernels.booted(V6_12, [1, 1])
    a = owner_on(k, "a", 0)
    msi(k, a)
    cpuhp = k.add_thread("cpuhp/0", 0)
    a.thread.cpu = 1
    move = Context(kernels.entering(k, a), a.thread).before("lock hgei1.lock")
    run_alone(k.kvm_riscv_aia_disable(cpuhp), cpuhp)
    assert pending(k) == ([0, 0], [1])
    move.finish()
    assert vsfile(a) == (1, 1)
    assert pending(k) == ([0, 0], [1])


def test_offline_may_bring_the_pending_bit_after_the_vcpu_has_looked_for_it() -> None:
    k = kernels.booted(V6_12, [1, 1])
    a = owner_on(k, "a", 0)
    msi(k, a)
    cpuhp = k.add_thread("cpuhp/0", 0)
    disable = Context(k.kvm_riscv_aia_disable(cpuhp), cpuhp)
    disable.before("IPI hart0 imsic_vsfile_local_read")
    enter(k, a, 1)
    disable.finish()
    assert vsfile(a) == (1, 1)
    assert pending(k) == ([0, 0], [1])
