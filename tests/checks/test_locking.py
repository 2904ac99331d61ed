"""Checks of operations on locks, of IPIs that are waited for, and of locks that sleep."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hgeisim.checks.check import OperationCheck
from hgeisim.checks.finding import Moment
from hgeisim.checks.locking import IpiWaits, LockInitHeld, OneInside, SleepingLock
from hgeisim.drivers.timed.simulation import simulate
from hgeisim.kernel.main import Module
from hgeisim.machine.ops import STEP, Op
from hgeisim.machine.task import Runner
from hgeisim.scenario.load import scenario_from
from tests.checks.test_checks import Case, says
from tests.support import kernels
from tests.support.kernels import V6_12


def said(check: OperationCheck, k: Module, who: Runner, op: Op) -> list[str]:
    """The findings of a check about an operation."""
    return [finding.id for finding in check.wrong(k, Moment(who, op, "f"))]


def init_lock(case: Case) -> list[str]:
    """Let the boot thread initialise HART 0's lock and ask the check."""
    who, op = case.k.threads[0], case.hgctrl.lock.init
    op.end(who)
    return [f.id for f in LockInitHeld().wrong(case.k, Moment(who, op, "kvm_riscv_aia_enable"))]


def test_a_lock_initialised_while_it_is_held() -> None:
    case = Case()
    case.hgctrl.lock.lock_irqsave.begin(case.a.thread)
    case.hgctrl.lock.lock_irqsave.end(case.a.thread)
    assert init_lock(case) == ["lock-init-held:hgctrl->lock"]
    case.hgctrl.lock.unlock_irqrestore.end(case.a.thread)
    assert init_lock(case) == []


def test_other_operations_on_a_held_lock_are_no_initialisation() -> None:
    case = Case()
    case.hgctrl.lock.inside = 1
    for op in (STEP, case.hgctrl.lock.unlock_irqrestore, case.hgctrl.lock.lock_irqsave):
        assert [*LockInitHeld().wrong(case.k, Moment(case.a.thread, op, "f"))] == []


def test_a_lock_initialised_while_somebody_waits() -> None:
    case = Case()
    lock = case.hgctrl.lock
    lock.lock_irqsave.begin(case.a.thread)
    lock.lock_irqsave.end(case.a.thread)
    lock.lock_irqsave.begin(case.b.thread)
    lock.unlock_irqrestore.end(case.a.thread)
    assert init_lock(case) == ["lock-init-held:hgctrl->lock"]


@pytest.mark.parametrize(("count", "ids"), [(0, []), (1, []), (2, ["broken-lock:hgctrl->lock"])])
def test_how_many_are_inside_a_lock(count: int, ids: list[str]) -> None:
    case = Case()
    case.k.hgei[1].lock.inside = count
    assert says(OneInside(), case.k) == ids


# IPIs


def irq_off(k: Module) -> Runner:
    k.hart[0].irq_off = 1
    return k.threads[0]


def hardirq(k: Module) -> Runner:
    k.hart[0].hardirq = 1
    return k.hardirq("hardirq/0", 0, 0)


def on_top(k: Module) -> Runner:
    """A hardirq is about to run on top of a task, which has just completed something."""
    k.hart[0].hardirq = 1
    return k.threads[0]


def preempt_off(k: Module) -> Runner:
    k.hart[0].preempt_count = 1
    return k.threads[0]


@pytest.mark.parametrize(
    ("where", "ids"),
    [
        (irq_off, ["ipi-wait-atomic:imsic_vsfile_local_read"]),
        (hardirq, ["ipi-wait-atomic:imsic_vsfile_local_read"]),
        (on_top, []),
        (preempt_off, []),
    ],
)
def test_an_ipi_is_waited_for_with_interrupts_on(
    where: Callable[[Module], Runner], ids: list[str]
) -> None:
    """With preemption off one may: imsic_update does."""
    k = kernels.booted(V6_12, [1])
    assert said(IpiWaits(), k, k.threads[0], k.vsfile_local_read) == []
    who = where(k)
    assert said(IpiWaits(), k, who, k.vsfile_local_read) == ids
    assert said(IpiWaits(), k, who, k.reschedule[0]) == []
    assert said(IpiWaits(), k, who, STEP) == []


# locks that sleep (PREEMPT_RT)


@pytest.mark.parametrize("where", [irq_off, hardirq, preempt_off])
def test_a_lock_that_sleeps_is_not_taken_while_atomic(
    where: Callable[[Module], Runner],
) -> None:
    k = kernels.unbooted(V6_12, [1], realtime=True)
    k.add_thread("t", 0)
    a = kernels.add_vcpu(k, "a", 0)
    sleeping: dict[Op, str] = {
        a.vsfile_lock.read_lock_irqsave: "imsic->vsfile_lock",
        a.vsfile_lock.write_lock_irqsave: "imsic->vsfile_lock",
        a.hfence_lock.lock: "vcpu->hfence_lock",
        a.vm.mmu_lock.lock: "kvm->mmu_lock",
    }
    assert [said(SleepingLock(), k, k.threads[0], op) for op in sleeping] == [[]] * 4
    who = where(k)
    for op, lock_class in sleeping.items():
        assert said(SleepingLock(), k, who, op) == [f"sleep-in-atomic:{lock_class}"]
    raw = a.swfile_extirq_lock, k.hgei[0].lock, k.rq[0].lock, a.thread.pi_lock
    assert [said(SleepingLock(), k, who, lock.lock_irqsave) for lock in raw] == [[]] * 4
    assert said(SleepingLock(), k, who, a.vm.mmu_lock.unlock) == []


def test_the_handler_of_a_device_is_a_thread() -> None:
    k = kernels.unbooted(V6_12, [1], realtime=True)
    hardirq(k)
    take = kernels.add_vcpu(k, "a", 0).vsfile_lock.read_lock_irqsave
    who, inject = k.hardirq("hardirq/0", 0, 0), "kvm_riscv_vcpu_aia_imsic_inject"
    assert list(SleepingLock().wrong(k, Moment(who, take, inject, inject))) == []
    (found,) = SleepingLock().wrong(k, Moment(who, take, inject, "hgei_interrupt"))
    assert found.id == "sleep-in-atomic:imsic->vsfile_lock"
    k.hart[0].irq_off = 1
    (found,) = SleepingLock().wrong(k, Moment(k.threads[0], take, inject, inject))
    assert found.id == "sleep-in-atomic:imsic->vsfile_lock"


def test_in_time_too_a_device_that_a_script_raises_is_a_thread() -> None:
    scenario = scenario_from(
        {
            "machine": {"harts": [{"guest_files": 2}, {"guest_files": 2}]},
            "kernel": {"variant": V6_12, "preemption": "rt"},
            "run": {"until": "3ms"},
            "vcpu": [{"name": "v1", "hart": 0}],
            "task": [{"name": "device", "hart": 1, "does": ["irqfd v1"]}],
        }
    )
    simulation = simulate(scenario)
    simulation.run(scenario.run.until)
    assert not [found for found in simulation.findings if found.startswith("sleep-in-atomic")]


def test_without_preempt_rt_no_lock_sleeps() -> None:
    k = kernels.booted(V6_12, [1])
    a = kernels.owner_on(k, "a", 0)
    irq_off(k)
    assert said(SleepingLock(), k, a.thread, a.vsfile_lock.read_lock_irqsave) == []
