"""kvm_main.c: a vCPU that waits for an interrupt, and what wakes it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hgeisim.drivers.run_to_end import run_alone
from hgeisim.kernel.main import Module
from hgeisim.kernel.structs import HWACCEL, IRQ_VS_EXT, Vcpu
from hgeisim.kernel.vcpu import EXIT_INTR
from hgeisim.machine.schedule import TASK_INTERRUPTIBLE, TASK_RUNNING
from hgeisim.machine.topology import Clock
from tests.support import kernels
from tests.support.kernels import BASES, V6_12, V6_16, V6_18, V7_0, msi, owner_on, pend, vsfile
from tests.support.steps import Context, in_order, story, writes


def has_interrupts(k: Module, vcpu: Vcpu) -> int:
    return kernels.result(k.kvm_riscv_vcpu_aia_has_interrupts(vcpu.thread, vcpu), vcpu.thread)


def loaded(k: Module, vcpu: Vcpu) -> Vcpu:
    run_alone(k.vcpu_load(vcpu.thread, vcpu), vcpu.thread)
    return vcpu


def sleeping(k: Module, vcpu: Vcpu) -> Context[None]:
    """A vCPU that sleeps in kvm_vcpu_block."""
    path = Context(k.kvm_vcpu_block(loaded(k, vcpu).thread, vcpu), vcpu.thread).before("schedule")
    assert not path.step()
    return path


# has_interrupts


@pytest.mark.parametrize("variant", BASES)
def test_it_looks_at_the_own_line_only(variant: str) -> None:
    k = kernels.booted(variant, [2])
    a, b = (loaded(k, owner_on(k, name, 0)) for name in "ab")
    msi(k, a)
    assert (has_interrupts(k, a), has_interrupts(k, b)) == (1, 0)


@pytest.mark.parametrize(("variant", "there"), [(V6_12, 0), (V6_16, 0), (V6_18, 1), (V7_0, 1)])
def test_on_another_cpu_than_its_vsfile(variant: str, there: int) -> None:
    """Bug B-03: v6.16 reads HGEIP of the wrong CPU, v6.18 says yes whatever is pending."""
    k = kernels.booted(variant, [1, 1])
    a = owner_on(k, "a", 0)
    a.thread.cpu = 1
    loaded(k, a)
    assert has_interrupts(k, a) == there
    msi(k, a)
    assert has_interrupts(k, a) == there


@pytest.mark.parametrize(("variant", "there"), [(V6_12, 0), (V6_16, 1)])
def test_v6_16_may_take_the_interrupt_of_another_for_its_own(variant: str, there: int) -> None:
    k = kernels.booted(variant, [1, 1])
    a, b = owner_on(k, "a", 0), owner_on(k, "b", 1)
    msi(k, b)
    a.thread.cpu = 1
    loaded(k, a)
    assert has_interrupts(k, a) == there


@pytest.mark.parametrize("variant", BASES)
def test_without_a_vsfile_there_is_nothing_to_look_at(variant: str) -> None:
    k = kernels.booted(variant, [0])
    assert has_interrupts(k, loaded(k, owner_on(k, "a", 0))) == 0


def test_v6_12_reads_hgeip_wherever_it_is_by_then() -> None:
    k = kernels.booted(V6_12, [1, 1])
    a = owner_on(k, "a", 0)
    msi(k, a)
    moved = Context(k.kvm_riscv_vcpu_aia_has_interrupts(a.thread, a), a.thread)
    moved.after("preempt_enable")
    a.thread.cpu = 1
    assert moved.finish() == 0


@pytest.mark.parametrize("variant", [V6_16, V6_18, V7_0])
def test_later_it_is_one_section_of_vsfile_lock(variant: str) -> None:
    k, memory = kernels.tracked(variant, [1])
    a = loaded(k, owner_on(k, "a", 0))
    assert story(memory, k.kvm_riscv_vcpu_aia_has_interrupts(a.thread, a), a.thread) == [
        "start",
        "read_lock a.vsfile_lock",
        "read_unlock a.vsfile_lock",
    ]


# check_block


def irq(k: Module, vcpu: Vcpu) -> None:
    vcpu.irqs_pending = IRQ_VS_EXT


def stop(k: Module, vcpu: Vcpu) -> None:
    vcpu.stop = 1


def line(k: Module, vcpu: Vcpu) -> None:
    msi(k, vcpu)


@pytest.mark.parametrize("variant", BASES)
@pytest.mark.parametrize("reason", [irq, stop, line])
def test_a_reason_not_to_sleep(variant: str, reason: Callable[[Module, Vcpu], None]) -> None:
    k = kernels.booted(variant, [1])
    a = loaded(k, owner_on(k, "a", 0))
    assert kernels.result(k.kvm_vcpu_check_block(a.thread, a), a.thread) == 0
    reason(k, a)
    assert kernels.result(k.kvm_vcpu_check_block(a.thread, a), a.thread) == 1


# block


def test_v6_12_arms_before_it_becomes_the_waiter_and_disarms_at_the_end() -> None:
    k, memory = kernels.tracked(V6_12, [1])
    a = loaded(k, owner_on(k, "a", 0))
    msi(k, a)
    told = story(memory, k.kvm_vcpu_block(a.thread, a), a.thread)
    order = ["preempt_disable", "hart0.hgeie = 2", "a.wait.waiter = 1", "preempt_enable"]
    order += ["vcpu/a.state = 1", "preempt_disable", "a.wait.waiter = 0", "vcpu/a.state = 0"]
    assert in_order(told, *order, "hart0.hgeie = 0", "preempt_enable") == []
    assert "schedule" not in told


@pytest.mark.parametrize("variant", [V6_16, V6_18, V7_0])
def test_later_it_arms_when_it_is_switched_out_and_not_before(variant: str) -> None:
    k, memory = kernels.tracked(variant, [1])
    a = loaded(k, owner_on(k, "a", 0))
    a.irqs_pending = IRQ_VS_EXT
    assert writes(story(memory, k.kvm_vcpu_block(a.thread, a), a.thread)) == [
        "a.wait.waiter = 1",
        "vcpu/a.state = 1",
        "a.wait.waiter = 0",
        "vcpu/a.state = 0",
    ]
    a.irqs_pending = 0
    sleeping(k, a)
    assert (k.hart[0].hgeie, a.cpu, a.thread.state) == (0b10, -1, TASK_INTERRUPTIBLE)


def test_block_disarms_its_own_line_only() -> None:
    k = kernels.booted(V6_12, [2])
    a = loaded(k, owner_on(k, "a", 0))
    k.hart[0].hgeie = 0b100
    msi(k, a)
    run_alone(k.kvm_vcpu_block(a.thread, a), a.thread)
    assert k.hart[0].hgeie == 0b100


@pytest.mark.parametrize("variant", BASES)
def test_the_state_is_set_before_the_last_look(variant: str) -> None:
    """Whoever makes something pending after that look finds a state to reset."""
    k = kernels.booted(variant, [0])
    a = loaded(k, owner_on(k, "a", 0))
    path = Context(k.kvm_vcpu_block(a.thread, a), a.thread)
    while a.thread.state == TASK_RUNNING:
        path.step()
    path.before("preempt_disable")
    msi(k, a, 3)
    assert a.thread.state == TASK_RUNNING
    path.finish()
    assert (a.wait.waiter, a.thread.on_rq) == (0, 1)


@pytest.mark.parametrize("variant", BASES)
def test_a_sleeper_is_woken_by_sgei(variant: str) -> None:
    k = kernels.booted(variant, [2])
    a = owner_on(k, "a", 0)
    block = sleeping(k, a)
    run_alone(k.imsic_page_write(k.threads[0], a, 3), k.threads[0])
    assert k.hart[0].sgei_pending()
    assert not block.step(), "the store alone wakes nobody"
    run_alone(k.hgei_interrupt(k.hardirq("hardirq", 1, 0)), k.threads[0])
    assert not k.hart[0].sgei_pending()
    block.finish()
    assert (k.hart[0].hgeie, a.wait.waiter, a.thread.state) == (0, 0, TASK_RUNNING)


@pytest.mark.parametrize("variant", BASES)
def test_a_sleeper_without_a_vsfile_is_woken_by_the_injection(variant: str) -> None:
    k = kernels.booted(variant, [0])
    a = owner_on(k, "a", 0)
    block = sleeping(k, a)
    msi(k, a, 3)
    block.finish()
    assert a.irqs_pending == IRQ_VS_EXT


@pytest.mark.parametrize("variant", BASES)
def test_a_spurious_wake_up_goes_back_to_sleep(variant: str) -> None:
    k = kernels.booted(variant, [1])
    a = owner_on(k, "a", 0)
    block = sleeping(k, a)
    run_alone(k.kvm_vcpu_kick(k.threads[0], a), k.threads[0])
    block.after("schedule").before("schedule")
    assert not block.step()
    assert k.hart[0].hgeie == 0b10


@pytest.mark.parametrize("variant", BASES)
def test_a_sleeper_that_moved_before_it_slept(variant: str) -> None:
    """Bugs B-02 and B-03: v6.12 finds no line to arm on the CPU where it is by now, v6.16 arms and
    reads the line of that number there; from v6.18 on it does not sleep."""
    k = kernels.booted(variant, [1, 1])
    a = owner_on(k, "a", 0)
    a.thread.cpu = 1
    loaded(k, a)
    if variant not in (V6_12, V6_16):
        run_alone(k.kvm_vcpu_block(a.thread, a), a.thread)
        return
    sleeping(k, a)
    pend(k, 0, 1)
    assert not any(hart.sgei_pending() for hart in k.hart)
    assert [hart.hgeie for hart in k.hart] == [0, 0 if variant == V6_12 else 0b10]


def test_a_task_that_was_preempted_on_its_way_to_sleep_is_moved_and_arms_there() -> None:
    """2.17: it stays on the run queue, whatever its state; v6.16 arms a line of the wrong CPU."""
    k = kernels.booted(V6_16, [1, 1])
    a = loaded(k, owner_on(k, "a", 0))
    block = Context(k.kvm_vcpu_block(a.thread, a), a.thread)
    while a.thread.state == TASK_RUNNING:
        block.step()
    run_alone(k.move_to(a.thread, 1), a.thread)
    assert (a.thread.cpu, a.thread.state, k.hart[0].hgeie) == (1, TASK_INTERRUPTIBLE, 0b10)
    assert not block.before("schedule").step()
    assert k.hart[1].hgeie == 0b10


# WFI


@pytest.mark.parametrize("variant", BASES)
def test_a_sleeper_is_in_no_srcu_section(variant: str) -> None:
    k = kernels.booted(variant, [1])
    a = owner_on(k, "a", 0)
    run_alone(k.kvm_vcpu_ioctl_begin(a.thread, a), a.thread)
    assert a.thread.srcu
    wfi = Context(k.kvm_riscv_vcpu_wfi(a.thread, a), a.thread).before("schedule")
    assert a.thread.srcu == 0
    msi(k, a)
    run_alone(k.kvm_vcpu_kick(k.threads[0], a), k.threads[0])
    wfi.finish()
    assert a.thread.srcu


class Ticking(Clock):
    """A clock that goes on by 1 us whenever somebody looks."""

    def __init__(self) -> None:
        self.ns = 0

    def now_ns(self) -> int:
        self.ns += 1_000
        return self.ns


def polling(limit_ns: int, poll_ns: int) -> tuple[Module, Vcpu, Ticking]:
    k, clock = kernels.booted(V6_18, [1]), Ticking()
    k.halt_poll_ns_max, k.clock = limit_ns, clock
    a = loaded(k, owner_on(k, "a", 0))
    a.halt_poll_ns = poll_ns
    return k, a, clock


def test_while_it_polls_it_does_not_sleep() -> None:
    k, a, _ = polling(500_000, 5_000)
    halt = Context(k.kvm_vcpu_halt(a.thread, a), a.thread).after("halt_poll")
    assert a.wait.waiter == 0
    pend(k, 0, 1)
    halt.finish()
    assert (a.wait.waiter, k.hart[0].hgeie, a.halt_poll_ns) == (0, 0, 5_000)


def test_after_polling_in_vain_it_sleeps() -> None:
    k, a, _ = polling(500_000, 5_000)
    halt = Context(k.kvm_vcpu_halt(a.thread, a), a.thread).before("schedule")
    assert (a.wait.waiter, not halt.step()) == (1, True)


def test_it_does_not_poll_while_another_task_wants_the_hart() -> None:
    k, a, _ = polling(500_000, 50_000)
    k.rq[0].nr_running = 2
    halt = Context(k.kvm_vcpu_halt(a.thread, a), a.thread)
    halt.before("schedule")
    assert a.wait.waiter == 1


@pytest.mark.parametrize(
    ("before", "halt_ns", "after"),
    [
        (0, 4_000, 10_000),
        (10_000, 40_000, 20_000),
        (400_000, 450_000, 500_000),
        (10_000, 600_000, 0),
        (10_000, 9_000, 10_000),
    ],
)
def test_the_time_to_poll_grows_after_a_short_wait_and_is_gone_after_a_long_one(
    before: int, halt_ns: int, after: int
) -> None:
    k, a, _ = polling(500_000, before)
    k.adjust_halt_poll_ns(a, halt_ns)
    assert a.halt_poll_ns == after


# the whole


def test_kvm_run_goes_from_the_guest_to_wfi_and_back() -> None:
    k = kernels.booted(V6_18, [1])
    a = owner_on(k, "a", 0)
    thread = Context(k.kvm_arch_vcpu_ioctl_run(a.thread, a), a.thread).before("schedule")
    assert not thread.step()
    msi(k, a, 3)
    run_alone(k.hgei_interrupt(k.hardirq("hardirq", 1, 0)), k.threads[0])
    thread.before("guest_run a").before("schedule")
    assert kernels.registers(k, a)[2] == 0
    a.stop = 1
    run_alone(k.kvm_vcpu_kick(k.threads[0], a), k.threads[0])
    assert thread.finish() == EXIT_INTR
    assert (a.mutex.owner, a.loaded) == (0, 0)


@pytest.mark.parametrize("variant", BASES)
def test_a_vcpu_thread_runs_until_it_is_stopped(variant: str) -> None:
    k = kernels.booted(variant, [1])
    a = kernels.add_vcpu(k, "a", 0)
    thread = Context(k.vcpu_thread(a.thread, a), a.thread).before("schedule")
    assert not thread.step()
    a.stop = 1
    run_alone(k.kvm_vcpu_kick(k.threads[0], a), k.threads[0])
    thread.finish()
    assert vsfile(a) == (0, 1)


def test_a_vcpu_thread_tries_a_failed_entry_again_without_sleeping() -> None:
    k = kernels.booted(V6_12, [0])
    a = kernels.add_vcpu(k, "a", 0, HWACCEL)
    thread = Context(k.vcpu_thread(a.thread, a), a.thread)
    thread.before("schedule", 3)
    a.stop = 1
    thread.finish()
