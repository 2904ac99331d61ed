"""vcpu.c: loading and putting a vCPU, and its way into the guest and out again."""

from __future__ import annotations

import pytest

from hgeisim.drivers.run_to_end import run_alone
from hgeisim.kernel.kvm_main import Block
from hgeisim.kernel.main import Module
from hgeisim.kernel.structs import (
    HWACCEL,
    IN_GUEST_MODE,
    IRQ_VS_EXT,
    OUTSIDE_GUEST_MODE,
    REQ_HFENCE,
    Vcpu,
)
from hgeisim.kernel.vcpu import EXIT_AGAIN, EXIT_INTR, EXIT_WFI, FAIL_ENTRY
from hgeisim.machine.ops import Path
from hgeisim.machine.shared import Memory
from tests.support import kernels
from tests.support.kernels import (
    BASES,
    FROM_V7_2,
    V6_12,
    V6_16,
    V6_18,
    V7_0,
    V7_1,
    enter,
    msi,
    owner_on,
    registers,
    run,
)
from tests.support.steps import Context, in_order, story, writes

SKIPPING = (V7_1, *FROM_V7_2)
"""The bases in which a HART may have the registers of a vCPU while it is not loaded."""
ARMING = (V6_16, V6_18, V7_0, *SKIPPING)
"""The bases that arm a line when its vCPU is put."""
SAVED = "a.registers.in_memory = 1"


# load and put


@pytest.mark.parametrize("variant", [*BASES, V7_1])
def test_load_sets_the_cpu_last(variant: str) -> None:
    """v7.1 writes the registers to a HART that has those of another vCPU, or of none."""
    k, memory = kernels.tracked(variant, [1, 1])
    a = owner_on(k, "a", 0)
    a.thread.cpu = 1
    written = [
        "step | cpu1.kvm_former_vcpu = 1",
        "step | a.csr_dirty = 0",
        "step | hart1.registers_of = 1 | a.registers.harts = 3",
    ]
    assert story(memory, k.vcpu_load(a.thread, a), a.thread) == [
        "start",
        "preempt_disable | a.loaded = 1",
        *(written if variant in SKIPPING else []),
        "step | a.cpu = 1",
        "preempt_enable",
    ]


@pytest.mark.parametrize("variant", [*BASES, V7_1])
def test_load_only_looks_where_the_vcpu_was_last(variant: str) -> None:
    """From v7.1 on: at the former vCPU of the CPU, then at where this one was left and whether its
    registers were changed in memory."""
    k, memory = kernels.tracked(variant, [1])
    a = owner_on(k, "a", 0)
    assert story(memory, k.vcpu_load(a.thread, a), a.thread) == [
        "start",
        "preempt_disable | a.loaded = 1",
        *(["step"] * 2 if variant in SKIPPING else []),
        "step | a.cpu = 0",
        "preempt_enable",
    ]


def about_to_sleep(variant: str) -> tuple[Module, Memory, Vcpu]:
    """A loaded vCPU on HART 0 whose thread has declared itself the waiter."""
    k, memory = kernels.tracked(variant, [1])
    a = owner_on(k, "a", 0)
    run_alone(k.vcpu_load(a.thread, a), a.thread)
    a.wait.waiter = 1
    return k, memory, a


@pytest.mark.parametrize("variant", [*BASES, V7_1])
def test_put_clears_the_cpu_first(variant: str) -> None:
    """And v7.1 saves the registers last."""
    k, memory, a = about_to_sleep(variant)
    armed = ["step", "read_lock a.vsfile_lock | hart0.hgeie = 2", "sgei hart0"]
    armed = [*armed, "read_unlock a.vsfile_lock"] if variant in ARMING else []
    assert story(memory, k.vcpu_put(a.thread, a), a.thread) == [
        "start",
        "preempt_disable",
        "step | a.cpu = -1",
        *armed,
        *([f"step | {SAVED}"] if variant in SKIPPING else []),
        "step | a.loaded = 0",
        "preempt_enable",
    ]


@pytest.mark.parametrize("variant", ARMING)
def test_put_arms_only_the_line_of_who_waits(variant: str) -> None:
    k, memory = kernels.tracked(variant, [1])
    a = owner_on(k, "a", 0)
    told = story(memory, k.kvm_riscv_vcpu_aia_put(a.thread, a), a.thread)
    assert told == ["start", "step"], "not even the lock"


@pytest.mark.parametrize("variant", ARMING)
def test_put_arms_nothing_for_who_has_no_vsfile(variant: str) -> None:
    k, memory = kernels.tracked(variant, [0])
    a = owner_on(k, "a", 0)
    a.wait.waiter = 1
    assert writes(story(memory, k.kvm_riscv_vcpu_aia_put(a.thread, a), a.thread)) == []


@pytest.mark.parametrize("variant", ARMING)
def test_put_leaves_the_other_lines_armed(variant: str) -> None:
    k = kernels.booted(variant, [2])
    owner_on(k, "other", 0)
    a = owner_on(k, "a", 0)
    k.hart[0].hgeie = 0b10
    a.wait.waiter = 1
    run_alone(k.kvm_riscv_vcpu_aia_put(a.thread, a), a.thread)
    assert k.hart[0].hgeie == 0b110


@pytest.mark.parametrize("variant", [*BASES, V7_1])
def test_from_v6_16_on_vsfile_lock_is_taken_under_the_run_queues_lock(variant: str) -> None:
    """Bug B-08: sched_out is called from within __schedule."""
    k, memory, a = about_to_sleep(variant)
    told = story(memory, k.preempt_schedule(a.thread), a.thread)
    armed = ["read_lock a.vsfile_lock", "hart0.hgeie = 2"]
    missing = in_order(told, "lock rq0.lock", "a.cpu = -1", *armed)
    assert missing == ([] if variant in ARMING else armed)
    saved = [SAVED] if variant in SKIPPING else []
    rest = ["lock rq0.lock", "a.cpu = -1", *saved, "vcpu/a.on_cpu = 0", "unlock rq0.lock"]
    assert in_order(told, *rest, "schedule", "vcpu/a.on_cpu = 1", "a.cpu = 0") == []


def test_the_notifiers_are_called_only_for_a_loaded_vcpu() -> None:
    k, memory = kernels.tracked(V6_18, [1])
    a = owner_on(k, "a", 0)
    for who in (a.thread, k.add_thread("other", 0)):
        told = story(memory, k.preempt_schedule(who), who)
        assert "a.cpu = -1" not in writes(told)


def test_a_vcpu_that_is_moved_is_loaded_where_it_goes_on() -> None:
    k = kernels.booted(V6_18, [1, 1])
    a = owner_on(k, "a", 0)
    run_alone(k.vcpu_load(a.thread, a), a.thread)
    move = Context(k.move_to(a.thread, 1), a.thread).before("schedule")
    assert a.cpu == -1
    move.finish()
    assert (a.cpu, a.thread.cpu, a.thread.allowed) == (1, 1, 0)


# the run loop

ENTRY = ["mutex_lock a.mutex", "srcu_read_lock a.vm.srcu", "a.loaded = 1", "a.cpu = 0"]
LOOP = ["preempt_disable", "read_lock a.vsfile_lock", "local_irq_disable", "a.mode = 1"]
LOOP += ["srcu_read_unlock a.vm.srcu", "enter guest", "hart0.guest = 1", "guest_run a"]
LOOP += ["hart0.guest = 0", "a.mode = 0", "local_irq_enable", "preempt_enable"]
LOOP += ["srcu_read_lock a.vm.srcu"]
END = ["a.cpu = -1", "a.loaded = 0", "srcu_read_unlock a.vm.srcu", "mutex_unlock a.mutex"]


@pytest.mark.parametrize("variant", BASES)
def test_the_run_loop_in_order(variant: str) -> None:
    k, memory = kernels.tracked(variant, [1])
    a = owner_on(k, "a", 0)
    told = story(memory, kernels.running(k, a), a.thread)
    assert in_order(told, *ENTRY, *LOOP, *END) == []


def test_in_its_guest_a_vcpu_holds_no_srcu_and_interrupts_are_off() -> None:
    k = kernels.booted(V6_12, [1])
    a = owner_on(k, "a", 0)
    path = Context(kernels.running(k, a), a.thread).before("guest_run a")
    assert (a.mode, a.loaded, a.thread.srcu) == (IN_GUEST_MODE, 1, 0)
    hart = k.hart[0]
    assert (hart.guest, hart.irq_off, hart.preempt_count) == (a.id, 1, 1)
    assert hart.interruptible(), "a guest exits for every interrupt"
    path.finish()
    assert (a.mode, a.loaded, a.thread.srcu) == (OUTSIDE_GUEST_MODE, 0, 0)
    assert (hart.guest, hart.irq_off, hart.preempt_count) == (0, 0, 0)


@pytest.mark.parametrize("variant", BASES)
def test_the_first_run_enables_the_file_after_it_was_given(variant: str) -> None:
    """The update of the first round sends the vCPU itself a request, so there is a second one."""
    k, memory = kernels.tracked(variant, [1])
    a = kernels.add_vcpu(k, "a", 0)
    told = story(memory, kernels.running(k, a), a.thread)
    order = ["hgei0.owners[1] = 1", "a.requests = 1", "a.vgein = 1", "a.mode = 1", "a.mode = 0"]
    order += ["a.requests = 0", "a.hfence = 0", "a.mode = 1", "enter guest", "hart0.eie[1] = 126"]
    assert in_order(told, *order, "hart0.eidelivery[1] = 1", "a.booted = 1", "guest_run a") == []


@pytest.mark.parametrize("what", ["request", "need_resched", "stop"])
def test_what_comes_after_the_mode_is_set_sends_it_round_again(what: str) -> None:
    k = kernels.booted(V6_12, [1])
    a = owner_on(k, "a", 0)
    run_alone(k.kvm_vcpu_ioctl_begin(a.thread, a), a.thread)
    path = Context(k.vcpu_enter_guest(a.thread, a), a.thread).after("local_irq_disable")
    assert a.mode == IN_GUEST_MODE
    if what == "request":
        a.requests = REQ_HFENCE
    elif what == "stop":
        a.stop = 1
    else:
        a.thread.need_resched = 1
    path.before("local_irq_enable")
    assert (a.mode, k.hart[0].guest) == (OUTSIDE_GUEST_MODE, 0)
    if what == "need_resched":
        path.before("schedule")
        a.thread.need_resched = 0
    assert path.finish() == (EXIT_INTR if what == "stop" else EXIT_WFI)


def test_an_interrupt_in_the_guest_sends_it_round_again() -> None:
    k = kernels.booted(V6_12, [1])
    a = owner_on(k, "a", 0)
    run_alone(k.kvm_vcpu_ioctl_begin(a.thread, a), a.thread)
    path = Context(k.vcpu_enter_guest(a.thread, a), a.thread).before("guest_run a")
    k.hart[0].take_interrupt()
    k.hart[0].hardirq = 0
    path.step()
    assert (path.at is not None, k.hart[0].guest) == (True, 0)
    path.before("guest_run a")
    assert path.finish() == EXIT_WFI


def test_a_stopped_vcpu_does_not_enter_its_guest() -> None:
    k, memory = kernels.tracked(V6_12, [1])
    a = owner_on(k, "a", 0)
    a.stop = 1
    told = story(memory, kernels.running(k, a), a.thread)
    assert "enter guest" not in told
    assert run(k, a) == EXIT_INTR


def test_a_failed_entry_runs_no_guest_and_leaves_nothing_held() -> None:
    k, memory = kernels.tracked(V6_12, [0])
    a = kernels.add_vcpu(k, "a", 0, HWACCEL)
    told = story(memory, kernels.running(k, a), a.thread)
    assert not [line for line in told if line.startswith(("enter guest", "local_irq"))]
    assert run(k, a) == FAIL_ENTRY
    assert (a.thread.srcu, a.mutex.owner, k.hart[0].preempt_count) == (0, 0, 0)


def test_a_released_vcpu_updates_before_it_enters_again() -> None:
    """The request that the unmapping sends makes it pass imsic_update once more."""
    k = kernels.booted(V6_12, [1, 1])
    a = owner_on(k, "a", 0)
    run_alone(k.kvm_vcpu_ioctl_begin(a.thread, a), a.thread)
    path = Context(k.vcpu_enter_guest(a.thread, a), a.thread).before("local_irq_disable")
    other = k.add_thread("other", 1)
    run_alone(k.kvm_riscv_vcpu_aia_imsic_release(other, a), other)
    assert (a.vsfile_cpu, a.vgein, a.requests) == (-1, 1, REQ_HFENCE)
    path.before("enter guest")
    assert (a.vsfile_cpu, a.vgein, k.hgei[0].owners[1]) == (0, 1, a.id)
    path.finish()


# what the guest does with its interrupt file


@pytest.mark.parametrize("variant", BASES)
def test_a_run_serves_what_is_delivered_and_nothing_else(variant: str) -> None:
    k = kernels.booted(variant, [2])
    a, b = owner_on(k, "a", 0), owner_on(k, "b", 0)
    k.hart[0].eithreshold[1] = 5
    for iid in (2, 4, 6):
        msi(k, a, iid)
    msi(k, b, 1)
    assert run(k, a) == EXIT_WFI
    assert registers(k, a)[2] == 0b1000000
    assert k.hart[0].hgeip == 0b100


@pytest.mark.parametrize("variant", BASES)
def test_a_run_on_the_sw_file_serves_it_by_traps(variant: str) -> None:
    k, memory = kernels.tracked(variant, [0])
    a = owner_on(k, "a", 0)
    msi(k, a, 2)
    msi(k, a, 4)
    told = story(memory, kernels.running(k, a), a.thread)
    order = ["a.hvip = 1024", "enter guest", "a.swfile.eip = 16", "a.irqs_pending = 1024"]
    order += ["enter guest", "a.swfile.eip = 0", "a.irqs_pending = 0", "a.hvip = 0"]
    assert in_order(told, *order, "guest_run a") == []
    assert (a.irqs_pending, a.irqs_pending_mask, a.hvip) == (0, 0, 0)


def test_what_is_pending_in_the_sw_file_moves_to_the_vsfile_and_out_of_hvip() -> None:
    k = kernels.booted(V6_12, [1, 1])
    a, b = owner_on(k, "a", 0), owner_on(k, "b", 1)
    enter(k, a, 1)
    msi(k, a, 3)
    assert (a.irqs_pending, a.vsfile_cpu) == (IRQ_VS_EXT, -1)
    run_alone(k.kvm_riscv_vcpu_aia_imsic_cleanup(k.threads[0], b), k.threads[0])
    told_reason = run(k, a)
    assert told_reason == EXIT_WFI
    assert (a.irqs_pending, a.hvip, registers(k, a)) == (0, 0, (1, 0, 0, 0b1111110))


def test_a_guest_that_is_interrupted_at_once_comes_back_later() -> None:
    """It has served all the same what was delivered at entry: that is one step."""
    k = kernels.booted(V6_12, [1])
    a = owner_on(k, "a", 0)
    a.vgein = a.booted = 1
    path: Context[int] = Context(entered(k, a), a.thread)
    k.hart[0].guest = 0
    assert path.finish() == EXIT_AGAIN


def entered(k: Block, vcpu: Vcpu) -> Path[int]:
    """The guest from its entry on."""
    path = k.kvm_riscv_vcpu_enter_exit(vcpu.thread, vcpu)
    op = next(path)
    op.end(vcpu.thread)
    return (yield from path)
