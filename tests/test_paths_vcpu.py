"""The run loop, WFI and SGEI: what a guest serves, when its vCPU sleeps and who wakes it."""

from __future__ import annotations

import pytest

from hgeisim.drivers.alone import run_alone
from hgeisim.kernel.cpuhp import Cpuhp
from hgeisim.kernel.state import HWACCEL, Vcpu
from tests import kernels
from tests.kernels import V6_12, Context, msi, owner_on, pending, vsfile


def find(k: Cpuhp, vcpu: Vcpu) -> int:
    """aia_find_hgei from the vCPU's own thread."""
    return kernels.result(k.aia_find_hgei(vcpu.thread, vcpu), vcpu.thread)


def test_a_run_serves_what_is_pending() -> None:
    k = kernels.booted(V6_12, [2])
    a = owner_on(k, "a", 0)
    b = owner_on(k, "b", 0)
    msi(k, a)
    msi(k, b)
    run_alone(k.kvm_arch_vcpu_ioctl_run(a.thread, a), a.thread)
    assert pending(k) == ([0b100], [0, 0])


def test_a_run_on_the_sw_file_serves_it() -> None:
    k = kernels.booted(V6_12, [0])
    a = owner_on(k, "a", 0)
    msi(k, a)
    assert kernels.result(k.kvm_arch_vcpu_ioctl_run(a.thread, a), a.thread) == 1
    assert a.sw_pending == 0


def test_a_failed_entry_runs_no_guest() -> None:
    k, memory = kernels.tracked(V6_12, [0])
    a = k.add_vcpu("a", 0, HWACCEL)
    a.sw_pending = 1
    told = kernels.story(memory, k.kvm_arch_vcpu_ioctl_run(a.thread, a), a.thread)
    assert (told[-1], a.sw_pending) == ("preempt_enable", 1)
    assert "guest_run a" not in told


def test_find_hgei_knows_only_the_lines_of_this_cpu() -> None:
    k = kernels.booted(V6_12, [2, 2])
    owner_on(k, "other", 0)
    a = owner_on(k, "a", 0)
    assert find(k, a) == 2
    a.thread.cpu = 1
    assert find(k, a) <= 0


def test_has_interrupts_reads_hgeip_wherever_it_is_by_then() -> None:
    k = kernels.booted(V6_12, [1, 1])
    a = owner_on(k, "a", 0)
    msi(k, a)
    path = k.kvm_riscv_vcpu_aia_has_interrupts
    assert kernels.result(path(a.thread, a), a.thread) == 1
    moved = Context(path(a.thread, a), a.thread).after("preempt_enable")
    a.thread.cpu = 1
    assert moved.finish() == 0


def test_has_interrupts_looks_at_its_own_line_only() -> None:
    k = kernels.booted(V6_12, [2])
    a, b = owner_on(k, "a", 0), owner_on(k, "b", 0)
    msi(k, a)
    assert kernels.result(k.kvm_riscv_vcpu_aia_has_interrupts(b.thread, b), b.thread) == 0


def test_block_arms_before_it_waits_and_disarms_after() -> None:
    k, memory = kernels.tracked(V6_12, [1])
    a = owner_on(k, "a", 0)
    msi(k, a)
    told = kernels.story(memory, k.kvm_vcpu_block(a.thread, a), a.thread)
    wrote = [line.partition(" | ")[2] for line in told if " | " in line]
    assert wrote[:3] == ["hart0.hgeie = 2", "a.wait.waiter = 1", "a.wait.woken = 0"]
    assert wrote[-1] == "hart0.hgeie = 0"
    assert "sleep on a.wait" not in told
    assert a.wait.waiter == 0


def test_block_disarms_its_own_line_only() -> None:
    k = kernels.booted(V6_12, [2])
    a = owner_on(k, "a", 0)
    k.hart[0].hgeie = 0b100
    msi(k, a)
    run_alone(k.kvm_vcpu_block(a.thread, a), a.thread)
    assert k.hart[0].hgeie == 0b100


@pytest.mark.parametrize("reason", ["sw_pending", "stop"])
def test_a_reason_not_to_sleep(reason: str) -> None:
    k = kernels.booted(V6_12, [0])
    a = owner_on(k, "a", 0)
    assert kernels.result(k.kvm_vcpu_check_block(a.thread, a), a.thread) == 0
    setattr(a, reason, 1)
    assert kernels.result(k.kvm_vcpu_check_block(a.thread, a), a.thread) == 1


def test_block_ends_its_wait_with_preemption_off() -> None:
    k = kernels.booted(V6_12, [0])
    a = owner_on(k, "a", 0)
    a.sw_pending = 1
    block = Context(k.kvm_vcpu_block(a.thread, a), a.thread).before("preempt_disable", 3)
    assert a.wait.waiter == 1
    block.finish()
    assert a.wait.waiter == 0


def test_a_sleeper_is_woken_by_sgei_and_by_nothing_else() -> None:
    k = kernels.booted(V6_12, [2])
    a = owner_on(k, "a", 0)
    block = Context(k.kvm_vcpu_block(a.thread, a), a.thread).before("sleep on a.wait")
    assert not block.step()
    run_alone(k.kvm_riscv_vcpu_aia_imsic_inject(a), k.threads[0])
    assert k.hart[0].sgei_pending()
    run_alone(k.hgei_interrupt(0), k.threads[0])
    assert not k.hart[0].sgei_pending()
    block.finish()
    assert k.hart[0].hgeie == 0


def test_a_spurious_wake_up_goes_back_to_sleep() -> None:
    k = kernels.booted(V6_12, [1])
    a = owner_on(k, "a", 0)
    block = Context(k.kvm_vcpu_block(a.thread, a), a.thread).before("sleep on a.wait")
    run_alone(k.kvm_vcpu_kick(a), k.threads[0])
    block.after("sleep on a.wait").before("sleep on a.wait")
    assert not block.step()


def test_a_sleeper_that_moved_before_it_armed_is_not_woken() -> None:
    """The lost wake-up of v6.12: it looks for the owner among the lines of the present CPU."""
    k = kernels.booted(V6_12, [1, 1])
    a = owner_on(k, "a", 0)
    a.thread.cpu = 1
    block = Context(k.kvm_vcpu_block(a.thread, a), a.thread).before("sleep on a.wait")
    k.hart[0].hgeip = 0b10
    assert not any(hart.sgei_pending() for hart in k.hart)
    assert not block.step()


def test_sgei_kicks_the_owners_of_what_is_pending_and_armed_once() -> None:
    k = kernels.booted(V6_12, [4])
    vcpus = [owner_on(k, name, 0) for name in "abc"]
    for vcpu in vcpus:
        vcpu.wait.waiter = 1
    k.hart[0].hgeip, k.hart[0].hgeie = 0b10110, 0b11010
    run_alone(k.hgei_interrupt(0), k.threads[0])
    assert [vcpu.wait.woken for vcpu in vcpus] == [1, 0, 0]
    assert (k.hart[0].hgeip, k.hart[0].hgeie) == (0b10110, 0b01000)


def test_sgei_clears_before_it_takes_the_lock() -> None:
    k, memory = kernels.tracked(V6_12, [2])
    owner_on(k, "a", 0)
    k.hart[0].hgeip = k.hart[0].hgeie = 0b110
    assert kernels.story(memory, k.hgei_interrupt(0), k.threads[0]) == [
        "start",
        "step | hart0.hgeie = 0",
        "lock hgei0.lock",
        "wake a.wait",
        "step",
        "step",
        "unlock hgei0.lock",
    ]


def test_a_vcpu_thread_runs_until_it_is_stopped() -> None:
    k = kernels.booted(V6_12, [1])
    a = k.add_vcpu("a", 0)
    thread = Context(k.vcpu_thread(a.thread, a), a.thread).before("sleep on a.wait")
    a.stop = 1
    run_alone(k.kvm_vcpu_kick(a), k.threads[0])
    thread.finish()
    assert vsfile(a) == (0, 1)


def test_a_vcpu_thread_tries_a_failed_entry_again_without_sleeping() -> None:
    k = kernels.booted(V6_12, [0])
    a = k.add_vcpu("a", 0, HWACCEL)
    thread = Context(k.vcpu_thread(a.thread, a), a.thread)
    thread.before("schedule", 3)
    a.stop = 1
    thread.finish()
