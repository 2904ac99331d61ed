"""kvm_main.c, sched/core.c and mmu.c: how a vCPU is woken, made to exit, and asked to flush."""

from __future__ import annotations

import pytest

from hgeisim.drivers.run_to_end import run_alone
from hgeisim.kernel.main import Module
from hgeisim.kernel.structs import (
    EXITING_GUEST_MODE,
    IN_GUEST_MODE,
    OUTSIDE_GUEST_MODE,
    REQ_HFENCE,
    Vcpu,
)
from hgeisim.machine.schedule import TASK_INTERRUPTIBLE, TASK_RUNNING
from hgeisim.machine.task import Runner
from tests.support import kernels
from tests.support.kernels import BASES, FROM_V7_2, V6_12, asleep, is_awake, owner_on
from tests.support.steps import Context, in_order, story, writes
from tests.support.stories import mapped, unmapped


def in_guest(k: Module, vcpu: Vcpu, cpu: int) -> Vcpu:
    """Let the guest of a vCPU run on a HART."""
    vcpu.mode, vcpu.cpu = IN_GUEST_MODE, cpu
    vcpu.thread.cpu, k.hart[cpu].guest = cpu, vcpu.id
    return vcpu


# kvm_vcpu_kick


def test_a_sleeper_is_woken_and_not_sent_an_ipi() -> None:
    k, memory = kernels.tracked(V6_12, [1, 1])
    a = asleep(owner_on(k, "a", 1))
    a.mode = IN_GUEST_MODE
    assert story(memory, k.kvm_vcpu_kick(k.threads[0], a), k.threads[0]) == [
        "start",
        "step",
        "lock vcpu/a.pi_lock",
        "step",
        "wait until vcpu/a is off its cpu",
        "select_task_rq vcpu/a",
        "lock rq1.lock",
        "wake vcpu/a | vcpu/a.on_rq = 1 | vcpu/a.state = 0",
        "unlock rq1.lock",
        "unlock vcpu/a.pi_lock",
    ]


def test_a_guest_on_another_hart_is_sent_a_reschedule_ipi() -> None:
    k, memory = kernels.tracked(V6_12, [1, 1])
    a = in_guest(k, owner_on(k, "a", 1), 1)
    assert story(memory, k.kvm_vcpu_kick(k.threads[0], a), k.threads[0]) == [
        "start",
        "step",
        "preempt_disable",
        "step | a.mode = 2",
        "step",
        "reschedule hart1 | hart1.resched_ipi = 1",
        "preempt_enable",
    ]


@pytest.mark.parametrize(
    ("mode", "cpu", "after"),
    [
        (OUTSIDE_GUEST_MODE, 1, OUTSIDE_GUEST_MODE),
        (EXITING_GUEST_MODE, 1, EXITING_GUEST_MODE),
        (IN_GUEST_MODE, 0, EXITING_GUEST_MODE),
        (IN_GUEST_MODE, -1, EXITING_GUEST_MODE),
    ],
)
def test_nobody_else_is_sent_one(mode: int, cpu: int, after: int) -> None:
    """A vCPU outside its guest, one that exits already, one on the kicking CPU, one on none."""
    k = kernels.booted(V6_12, [1, 1])
    a = owner_on(k, "a", 1)
    a.mode, a.cpu = mode, cpu
    run_alone(k.kvm_vcpu_kick(k.threads[0], a), k.threads[0])
    assert (a.mode, [hart.resched_ipi for hart in k.hart]) == (after, [0, 0])


def test_a_hart_that_went_offline_is_sent_none() -> None:
    k = kernels.booted(V6_12, [1, 1])
    a = in_guest(k, owner_on(k, "a", 1), 1)
    k.hart[1].online = 0
    run_alone(k.kvm_vcpu_kick(k.threads[0], a), k.threads[0])
    assert k.hart[1].resched_ipi == 0


def test_a_waiter_that_runs_counts_as_not_woken() -> None:
    """Its state says that it runs: it has the guest's exit path before it, or the loop's next
    look."""
    k = kernels.booted(V6_12, [1, 1])
    a = in_guest(k, owner_on(k, "a", 1), 1)
    a.wait.waiter = 1
    run_alone(k.kvm_vcpu_kick(k.threads[0], a), k.threads[0])
    assert (a.mode, k.hart[1].resched_ipi) == (EXITING_GUEST_MODE, 1)


# try_to_wake_up


def test_a_waker_excludes_other_wakers_by_pi_lock() -> None:
    k = kernels.booted(V6_12, [1, 1, 1])
    a = asleep(owner_on(k, "a", 1))
    others = [k.add_thread(f"waker{cpu}", cpu) for cpu in (0, 2)]
    first, second = (Context(k.try_to_wake_up(a.thread), who) for who in others)
    first.before("lock rq1.lock")
    assert not second.step()
    assert (first.finish(), second.finish()) == (1, 0)
    assert is_awake(a)


def test_a_task_about_to_sleep_is_left_on_its_run_queue() -> None:
    k, memory = kernels.tracked(V6_12, [1, 1])
    a = owner_on(k, "a", 1)
    a.thread.state = TASK_INTERRUPTIBLE
    assert story(memory, k.try_to_wake_up(a.thread), k.threads[0]) == [
        "start",
        "lock vcpu/a.pi_lock",
        "step",
        "step",
        "lock rq1.lock | vcpu/a.state = 0",
        "unlock rq1.lock",
        "unlock vcpu/a.pi_lock",
    ]


def test_a_task_that_moves_meanwhile_is_looked_for_on_its_new_run_queue() -> None:
    k = kernels.booted(V6_12, [1, 1])
    a = owner_on(k, "a", 1)
    a.thread.state = TASK_INTERRUPTIBLE
    waker = Context(k.try_to_wake_up(a.thread), k.threads[0]).before("lock rq1.lock")
    a.thread.cpu = 0
    waker.before("lock rq0.lock")
    assert k.rq[1].lock.inside == 0
    assert waker.finish() == 1


def test_a_task_that_is_just_switched_out_is_waited_for() -> None:
    k = kernels.booted(V6_12, [1, 1])
    a = asleep(owner_on(k, "a", 1))
    a.thread.on_cpu = 1
    waker = Context(k.try_to_wake_up(a.thread), k.threads[0])
    waker.before("wait until vcpu/a is off its cpu")
    assert not waker.step()
    assert k.hart[0].irq_off == 1, "pi_lock is held with interrupts off"
    a.thread.on_cpu = 0
    assert waker.finish() == 1


def test_who_went_to_sleep_between_two_looks_is_woken_the_long_way() -> None:
    k = kernels.booted(V6_12, [1, 1])
    a = owner_on(k, "a", 1)
    a.thread.state = TASK_INTERRUPTIBLE
    waker = Context(k.try_to_wake_up(a.thread), k.threads[0]).before("lock rq1.lock")
    a.thread.on_rq = a.thread.on_cpu = 0
    waker.before("wake vcpu/a")
    assert waker.finish() == 1
    assert is_awake(a)


def test_who_runs_is_not_woken() -> None:
    k, memory = kernels.tracked(V6_12, [1])
    a = owner_on(k, "a", 0)
    assert writes(story(memory, k.try_to_wake_up(a.thread), k.threads[0])) == []
    assert kernels.result(k.try_to_wake_up(a.thread), k.threads[0]) == 0


# schedule


def test_schedule_takes_a_sleeper_off_its_run_queue_under_the_lock() -> None:
    k, memory = kernels.tracked(V6_12, [1])
    a = owner_on(k, "a", 0)
    a.thread.state = TASK_INTERRUPTIBLE
    path = Context(k.schedule(a.thread), a.thread).after("lock rq0.lock").after("step")
    assert (a.thread.on_rq, a.thread.on_cpu, k.rq[0].lock.inside) == (0, 1, 1)
    path.before("schedule")
    assert (a.thread.on_cpu, k.rq[0].lock.inside) == (0, 0)
    assert not path.step()
    memory.begin_step(memory.cells)
    run_alone(k.try_to_wake_up(a.thread), k.threads[0])
    path.finish()
    assert (a.thread.on_cpu, a.thread.state) == (1, TASK_RUNNING)


@pytest.mark.parametrize("how", ["schedule", "preempt_schedule"])
def test_who_runs_or_is_preempted_stays_on_its_run_queue(how: str) -> None:
    """Whatever the state of a preempted task is; so it can be moved before it sleeps."""
    k = kernels.booted(V6_12, [1])
    a = owner_on(k, "a", 0)
    a.thread.state = TASK_INTERRUPTIBLE if how == "preempt_schedule" else TASK_RUNNING
    path = Context(getattr(k, how)(a.thread), a.thread).before("schedule")
    assert (a.thread.on_rq, a.thread.on_cpu) == (1, 0)
    path.finish()


# requests


def test_a_request_reaches_all_vcpus_and_waits_for_the_guests_that_run() -> None:
    k = kernels.booted(V6_12, [1] * 4)
    vm = k.add_vm("vm")
    a, b, c, d = (owner_on(k, name, cpu, vm=vm) for cpu, name in enumerate("abcd"))
    in_guest(k, a, 0)
    in_guest(k, b, 1)
    c.cpu = 2
    in_guest(k, d, 3).mode = EXITING_GUEST_MODE
    who = k.threads[0]
    path = Context(k.kvm_make_vcpus_request_mask(who, vm, REQ_HFENCE), who).before("IPI ack_kick")
    assert who.ipi_mask == 0b1010, "the own CPU and who is outside of its guest are left out"
    assert [vcpu.requests & REQ_HFENCE for vcpu in (a, b, c, d)] == [REQ_HFENCE] * 4
    assert [vcpu.mode for vcpu in (a, b, c, d)] == [2, 2, 0, 2]
    path.finish()
    assert (who.ipi_mask, who.ipi_wait) == (0, 0)


def test_the_request_is_there_before_the_mode_is_looked_at() -> None:
    """With the mode set before the requests are looked at on the other side, nobody misses both."""
    k, memory = kernels.tracked(V6_12, [1, 1])
    a = in_guest(k, owner_on(k, "a", 1), 1)
    path = k.kvm_make_vcpus_request_mask(k.threads[0], a.vm, REQ_HFENCE)
    told = story(memory, path, k.threads[0])
    assert in_order(told, "a.requests = 1", "a.mode = 2", "IPI ack_kick") == []
    entering = story(memory, kernels.running(k, a), a.thread)
    assert in_order(entering, "a.mode = 1", "enter guest", "a.mode = 0") == []


def test_a_request_wakes_nobody() -> None:
    k = kernels.booted(V6_12, [1, 1])
    a = asleep(owner_on(k, "a", 1))
    run_alone(k.kvm_make_vcpus_request_mask(k.threads[0], a.vm, REQ_HFENCE), k.threads[0])
    assert (a.requests, is_awake(a)) == (REQ_HFENCE, False)


def test_without_a_guest_that_runs_there_is_no_ipi() -> None:
    k, memory = kernels.tracked(V6_12, [1, 1])
    a = owner_on(k, "a", 1)
    path = k.kvm_make_vcpus_request_mask(k.threads[0], a.vm, REQ_HFENCE)
    assert not [line for line in story(memory, path, k.threads[0]) if line.startswith("IPI")]


# on_each_cpu_mask


@pytest.mark.parametrize("cpu", [0, 1])
def test_a_call_is_made_here_with_interrupts_off_and_elsewhere_by_ipi(cpu: int) -> None:
    k, memory = kernels.tracked(V6_12, [1, 1])
    a = owner_on(k, "a", 0)
    caller = k.add_thread("caller", cpu)
    told = story(memory, k.imsic_vsfile_read(caller, a, 0, 1), caller)
    local = ["local_irq_disable", "sweep VS-file", "local_irq_enable"]
    assert [line.split(" | ")[0] for line in told][3:-2] == [
        *(local if cpu == 0 else ["step", "IPI imsic_vsfile_local_read"])
    ]


# the G-stage mapping


@pytest.mark.parametrize("unmap", [False, True])
@pytest.mark.parametrize("variant", BASES)
def test_the_fence_is_queued_and_waited_for_under_mmu_lock(variant: str, unmap: bool) -> None:
    """Each vCPU of the VM is asked to fence that page; when v7.2 unmaps one, it drops the lock
    first."""
    k = kernels.booted(variant, [1] * 3)
    vm = k.add_vm("vm")
    a, b = (owner_on(k, name, 1, vm=vm) for name in "ab")
    in_guest(k, b, 1)
    who: Runner = k.threads[0]
    unmapping, mapping = k.kvm_riscv_mmu_iounmap(who, a), k.kvm_riscv_mmu_ioremap(who, a, 2, 1)
    path = Context(unmapping if unmap else mapping, who)
    path.before("lock a.hfence_lock").before("lock b.hfence_lock").before("IPI ack_kick")
    assert (a.hfence, b.hfence) == (1 << a.id, 1 << a.id)
    assert (b.requests, b.mode) == (REQ_HFENCE, EXITING_GUEST_MODE)
    other = k.add_thread("other", 2)
    second = Context(k.kvm_riscv_mmu_ioremap(other, b, 2, 2), other)
    assert second.step() == (unmap and variant in FROM_V7_2)
    path.finish()
    second.finish()
    assert (a.pte_cpu, a.pte_hgei) == ((-1, -1) if unmap else (2, 1))
    assert (b.pte_cpu, b.pte_hgei) == (2, 2)


@pytest.mark.parametrize("variant", BASES)
def test_the_entry_is_written_before_the_fence_is_asked_for(variant: str) -> None:
    k, memory = kernels.tracked(variant, [1, 1])
    a = owner_on(k, "a", 0)
    who: Runner = k.threads[0]
    told = story(memory, k.kvm_riscv_mmu_ioremap(who, a, 1, 1), who)
    assert told == ["start", *mapped(variant, 1, 1)]
    told = story(memory, k.kvm_riscv_mmu_iounmap(who, a), who)
    assert told == ["start", *unmapped(variant)]


@pytest.mark.parametrize("variant", FROM_V7_2)
def test_v7_2_fences_no_page_that_was_not_mapped(variant: str) -> None:
    k, memory = kernels.tracked(variant, [0])
    a = owner_on(k, "a", 0)
    told = story(memory, k.kvm_riscv_mmu_iounmap(k.threads[0], a), k.threads[0])
    assert told == ["start", *(line.partition(" | ")[0] for line in unmapped(variant)[:2])]


def test_a_vcpu_empties_its_queue_before_it_enters_its_guest() -> None:
    k, memory = kernels.tracked(V6_12, [1])
    a = owner_on(k, "a", 0)
    a.requests, a.hfence = REQ_HFENCE, 1 << a.id
    told = story(memory, kernels.running(k, a), a.thread)
    order = ["a.requests = 0", "lock a.hfence_lock", "a.hfence = 0", "a.mode = 1"]
    assert in_order(told, *order, "enter guest") == []
