"""Lock order in time: how tasks and hardirqs are shown to the validator, and its findings."""

from __future__ import annotations

import pytest

from hgeisim.checks.finding import of_ids
from hgeisim.checks.known import new_findings
from hgeisim.drivers.timed.driver import TimedDriver
from hgeisim.drivers.timed.simulation import simulate
from hgeisim.machine.ipi import Ipi
from hgeisim.machine.mutex import Mutex, RwSem, mutex
from hgeisim.machine.ops import (
    LOCAL_IRQ_DISABLE,
    LOCAL_IRQ_ENABLE,
    PREEMPT_DISABLE,
    PREEMPT_ENABLE,
    Op,
    Path,
)
from hgeisim.machine.rwlock import RwLock, rwlock
from hgeisim.machine.shared import Shared
from hgeisim.machine.spinlock import RawSpinlock, raw_spinlock, spinlock
from hgeisim.machine.srcu import Srcu, srcu
from hgeisim.machine.task import Runner
from hgeisim.scenario.load import load_scenario
from hgeisim.watch.call_chain import PathChains
from hgeisim.watch.lock_order import LockOrder
from hgeisim.watch.lock_track import lock_type
from tests.support.kernels import BASES, V6_12, booted
from tests.support.timed_machine import machine, start

A = raw_spinlock(None, "a", "A")
B = raw_spinlock(None, "b", "B")
C = raw_spinlock(None, "c", "C")
D = raw_spinlock(None, "d", "D")


def watched(driver: TimedDriver) -> LockOrder:
    """The validator, watching everything that a driver executes."""
    order = LockOrder(driver.k.realtime, PathChains(driver.paths, type(driver.k)))
    driver.k.watch.add(order)
    return order


def ops(*wanted: Op) -> Path[None]:
    """A kernel function that consists of these operations."""
    i = 0
    while i < len(wanted):
        yield wanted[i]
        i += 1


def look_at_waits(driver: TimedDriver, order: LockOrder) -> None:
    """Show the waits that are not over to the validator."""
    for who, wait in driver.waits:
        order.waiting(who, wait.op, wait.irq_off, wait.preempt_count)


def found(*paths: Path[None], preemption: str = "none") -> list[str]:
    """The ids of the findings when tasks, each on a HART of its own, execute these."""
    driver = machine(*(1 for _ in paths), preemption=preemption)
    order = watched(driver)
    for cpu, path in enumerate(paths):
        start(driver, f"t{cpu}", cpu, path)
    driver.env.run(until=10**12)
    look_at_waits(driver, order)
    return [finding.id for finding in order.found]


def test_an_inversion_of_two_tasks() -> None:
    one, other = raw_spinlock(None, "a", "A"), raw_spinlock(None, "b", "B")
    there = ops(one.lock, other.lock, other.unlock, one.unlock)
    back = ops(other.lock, one.lock, one.unlock, other.unlock)
    assert "circular:A -EN-> B -EN->" in found(there, back)


def test_two_tasks_that_hang_are_reported_by_their_waits() -> None:
    """Neither task gets its second lock: only the waits at the end close the cycle."""
    one, other = raw_spinlock(None, "a", "A"), raw_spinlock(None, "b", "B")
    driver = machine(1, 1)
    order = watched(driver)
    start(driver, "t0", 0, ops(one.lock, other.lock))
    start(driver, "t1", 1, ops(other.lock, one.lock))
    driver.env.run(until=10**12)
    assert order.found == []
    look_at_waits(driver, order)
    assert [finding.id for finding in order.found] == ["circular:A -EN-> B -EN->"]


def test_one_order_is_fine() -> None:
    path = [A.lock, B.lock, B.unlock, A.unlock]
    assert found(ops(*path), ops(*path)) == []


@pytest.mark.parametrize(
    ("off", "on", "by"),
    [
        (PREEMPT_DISABLE, PREEMPT_ENABLE, "preemption off in ops"),
        (LOCAL_IRQ_DISABLE, LOCAL_IRQ_ENABLE, "hardirqs off in ops"),
        (A.lock, A.unlock, "A"),
        (A.lock_irqsave, A.unlock_irqrestore, "A"),
    ],
)
def test_a_mutex_where_nobody_may_sleep(off: Op, on: Op, by: str) -> None:
    lock = mutex(None, "m", "M")
    assert found(ops(off, lock.lock, lock.unlock, on)) == [f"wait-context:M {by}"]


def test_an_error_in_two_places_is_reported_twice() -> None:
    """It may be accepted in one of them; the finding names the outermost function of AIA."""
    lock = mutex(None, "m", "M")

    def kvm_riscv_one() -> Path[None]:
        yield from ops(PREEMPT_DISABLE, lock.lock, lock.unlock, PREEMPT_ENABLE)

    def other() -> Path[None]:
        yield PREEMPT_DISABLE
        yield lock.lock
        yield lock.unlock
        yield PREEMPT_ENABLE

    def path() -> Path[None]:
        yield from kvm_riscv_one()
        yield from other()
        yield from kvm_riscv_one()

    assert found(path()) == [
        "wait-context:M preemption off in kvm_riscv_one",
        "wait-context:M preemption off in other",
    ]


def test_a_lock_does_not_count_its_own_masking() -> None:
    lock = spinlock(None, "s", "S", realtime=False)
    path = [lock.lock, lock.unlock, lock.lock_irqsave, lock.unlock_irqrestore]
    assert found(ops(*path), preemption="rt") == ["wait-context:S hardirqs off in ops"]


def test_a_spinlock_inside_a_raw_one() -> None:
    lock = spinlock(None, "s", "S", realtime=False)
    path = ops(A.lock, lock.lock, lock.unlock, A.unlock)
    assert found(path) == ["wait-context:S A"]


def test_an_ipi_that_is_waited_for_with_interrupts_off() -> None:
    driver = machine(1, 1)
    order = watched(driver)
    who = driver.k.add_thread("t", 0)

    def handler(current: Runner, sender: Runner) -> Path[None]:
        yield A.lock
        yield A.unlock

    def sends() -> Path[None]:
        yield LOCAL_IRQ_DISABLE
        who.ipi_mask = 2
        yield Ipi(handler)
        yield from again()
        yield LOCAL_IRQ_ENABLE

    def again() -> Path[None]:
        who.ipi_mask = 2
        yield Ipi(handler)

    driver.spawn(who, sends())
    driver.env.run(until=10**12)
    assert [finding.id for finding in order.found] == [
        "ipi-irqs-off:sends hardirqs off in sends",
        "ipi-irqs-off:again hardirqs off in again",
    ]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ((A.lock_irqsave, A.unlock_irqrestore), []),
        ((A.lock, A.unlock), ["irq-usage:A IN-HARDIRQ-W HARDIRQ-ON-W"]),
        (
            (LOCAL_IRQ_DISABLE, A.lock, LOCAL_IRQ_ENABLE, A.unlock),
            ["irq-usage:A IN-HARDIRQ-W HARDIRQ-ON-W"],
        ),
        (
            (B.lock_irqsave, A.lock, B.unlock_irqrestore, A.unlock),
            ["irq-usage:A IN-HARDIRQ-W HARDIRQ-ON-W"],
        ),
    ],
)
def test_a_lock_of_a_hardirq(path: tuple[Op, ...], expected: list[str]) -> None:
    driver = machine(1)
    order = watched(driver)
    driver.interrupt(0, lambda current: ops(A.lock, A.unlock))
    driver.env.run(until=1_000)
    start(driver, "t", 0, ops(*path))
    driver.env.run(until=10**12)
    assert [finding.id for finding in order.found] == expected


def test_a_lock_dropped_out_of_order() -> None:
    path = [A.lock, B.lock, A.unlock, B.unlock]
    assert found(ops(*path), ops(*path)) == []


def test_a_lock_dropped_in_another_mode() -> None:
    lock = rwlock(None, "rw", "RW")
    assert found(ops(lock.read_lock, lock.write_unlock)) == ["bad-unlock-mode:RW ops"]


def test_a_task_that_sleeps_in_the_kernel() -> None:
    """schedule() with a spinlock held: recognised by the function, since preemption takes the same
    path."""
    driver = machine(1, 1)
    order = watched(driver)
    who = driver.k.add_thread("t", 0)

    def path() -> Path[None]:
        yield A.lock
        yield from driver.k.schedule(who)

    driver.spawn(who, path())
    driver.env.run(until=10**12)
    assert [each.id for each in order.found] == ["wait-context:might_sleep A"]


def test_a_device_may_take_the_locks_of_its_thread_on_preempt_rt() -> None:
    """A rwlock_t is right in the handler of a device and wrong in that of an IPI."""
    driver = machine(1)
    order = watched(driver)
    vcpu = driver.k.add_vcpu("v", 0, driver.k.add_vm("vm"))
    driver.interrupt(0, lambda who: driver.k.kvm_riscv_vcpu_aia_imsic_inject(who, vcpu, 1))
    driver.env.run(until=10**12)
    assert order.found == []
    driver.interrupt(0, lambda who: ops(vcpu.vsfile_lock.read_lock, vcpu.vsfile_lock.read_unlock))
    driver.env.run(until=2 * 10**12)
    assert [each.id for each in order.found] == ["wait-context:imsic->vsfile_lock hardirq in ops"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ((C.lock_irqsave, C.unlock_irqrestore), []),
        ((D.lock_irqsave, C.lock, C.unlock, D.unlock_irqrestore), []),
        ((C.lock, C.unlock), ["irq-usage:C IN-HARDIRQ-W HARDIRQ-ON-W"]),
        (
            (D.lock_irqsave, D.unlock_irqrestore, C.lock, C.unlock),
            ["irq-usage:C IN-HARDIRQ-W HARDIRQ-ON-W"],
        ),
    ],
)
def test_in_its_thread_a_device_masks_interrupts_by_its_locks(
    path: tuple[Op, ...], expected: list[str]
) -> None:
    """On PREEMPT_RT, when a script raises its interrupt."""

    def irqfd_wakeup(current: Runner, sender: Runner) -> Path[None]:
        yield from ops(*path)

    def handler(current: Runner, sender: Runner) -> Path[None]:
        yield from ops(C.lock, C.unlock)

    driver = machine(1, 1, preemption="rt")
    order = watched(driver)
    who = driver.k.add_thread("t", 0)

    def sends() -> Path[None]:
        who.ipi_mask = 2
        yield Ipi(irqfd_wakeup)
        who.ipi_mask = 2
        yield Ipi(handler)

    driver.spawn(who, sends())
    driver.env.run(until=10**12)
    assert [finding.id for finding in order.found] == expected


@pytest.mark.parametrize("sleeps", [False, True])
def test_a_task_that_is_preempted_does_not_sleep(sleeps: bool) -> None:
    """On PREEMPT_RT it may hold a spinlock_t while it is preempted."""
    driver = machine(1, 1, preemption="rt")
    order = watched(driver)
    who, lock = driver.k.add_thread("t", 0), spinlock(None, "s", "S", realtime=True)

    def path() -> Path[None]:
        yield lock.lock
        leave = driver.k.schedule if sleeps else driver.k.preempt_schedule
        yield from leave(who)
        yield lock.unlock

    driver.spawn(who, path())
    driver.env.run(until=10**12)
    expected = ["wait-context:might_sleep S"] if sleeps else []
    assert [each.id for each in order.found] == expected


def test_the_call_chain_has_kernel_functions_only() -> None:
    simulation = simulate(load_scenario("move-offline", {"variant": "v7.0"}))
    simulation.run(1_000_000)
    assert simulation.lock_order is not None
    report = next(iter(simulation.lock_order.validator.reports))
    assert report.stack == (
        "kvm_riscv_vcpu_wfi",
        "kvm_vcpu_halt",
        "kvm_vcpu_block",
        "schedule",
        "context_switch",
        "kvm_sched_out",
        "kvm_arch_vcpu_put",
        "kvm_riscv_vcpu_aia_put",
        "kvm_riscv_vcpu_aia_imsic_put",
    )
    assert report.holding is not None
    assert report.holding.stack[-1] == "schedule"


UNDER_RQ = "wait-context:imsic->vsfile_lock rq->__lock"
IN_UPDATE = "preemption off in kvm_riscv_vcpu_aia_imsic_update"


@pytest.mark.slow
@pytest.mark.parametrize("base", BASES)
def test_shipped_kernels(base: str) -> None:
    """B-08 and B-09: since v6.16 a vCPU that is about to sleep takes vsfile_lock in __schedule."""
    simulation = simulate(load_scenario("big-little", {"variant": base}))
    simulation.run(6_000_000)
    of_locks = [i for i in simulation.findings if i.startswith(("wait-context", "circular"))]
    assert (UNDER_RQ in of_locks) == (base != V6_12)
    assert new_findings(of_ids(of_locks), base) == []


@pytest.mark.slow
def test_on_preempt_rt() -> None:
    """B-08: rwlock_t and spinlock_t sleep there, and AIA takes them with preemption off."""
    simulation = simulate(load_scenario("realtime", {"variant": "v7.0"}))
    simulation.run(1_000_000)
    assert [i for i in simulation.findings if i.startswith(("wait-context", "irq"))] == [
        f"wait-context:imsic->vsfile_lock {IN_UPDATE}",
        f"wait-context:kvm->mmu_lock {IN_UPDATE}",
        f"wait-context:vcpu->hfence_lock {IN_UPDATE}",
        UNDER_RQ,
    ]


@pytest.mark.slow
def test_knowledge_does_not_grow_with_the_run() -> None:
    simulation = simulate(load_scenario("weak-init", {"variant": "v7.0"}))
    assert simulation.lock_order is not None
    sizes = []
    for until_ns in (40_000_000, 60_000_000):
        simulation.run(until_ns)
        sizes.append(simulation.lock_order.validator.sizes)
    assert sizes[0].classes == sizes[1].classes
    assert sizes[1].chains - sizes[0].chains < sizes[0].chains // 20


def locks_in(owner: object) -> list[object]:
    values = [getattr(owner, name, None) for name in dir(owner) if not name.startswith("_")]
    return [v for v in values if isinstance(v, RawSpinlock | RwLock | Mutex | RwSem | Srcu)]


def test_every_lock_of_the_kernel_has_a_class_and_a_type() -> None:
    k = booted(V6_12, [1])
    vm = k.add_vm("vm")
    vcpu = k.add_vcpu("v", 0, vm)
    owners: list[object | Shared] = [k, k.rq[0], k.hgei[0], vm, vcpu, vcpu.thread]
    locks = [lock for owner in owners for lock in locks_in(owner)]
    types = {lock.lock_class: lock_type(lock) for lock in locks}  # type: ignore[attr-defined]
    assert types == {
        "cpu_hotplug_lock": "rwsem",
        "cpuhp_state_mutex": "mutex",
        "hgctrl->lock": "raw_spinlock",
        "imsic->swfile_extirq_lock": "raw_spinlock",
        "imsic->vsfile_lock": "rwlock",
        "irq_desc(SGEI)->lock": "raw_spinlock",
        "kvm->lock": "mutex",
        "kvm->mmu_lock": "spinlock",
        "kvm->slots_lock": "mutex",
        "kvm->srcu": "srcu",
        "kvm_usage_lock": "mutex",
        "p->pi_lock": "raw_spinlock",
        "rq->__lock": "raw_spinlock",
        "cpu_pm_notifier.lock": "raw_spinlock",
        "sparse_irq_lock": "mutex",
        "vcpu->hfence_lock": "spinlock",
        "vcpu->mutex": "mutex",
        "vmid_lock": "spinlock",
    }


def test_waiting_inside_the_section_that_is_waited_for() -> None:
    section, held = srcu(None, "s"), mutex(None, "m", "M")
    inside = ops(section.srcu_read_lock, section.synchronize_srcu)
    assert [i.split()[0] for i in found(inside)] == ["recursion:kvm->srcu"]
    assert [i.split()[0] for i in found(ops(held.lock, held.lock))] == ["recursion:M"]
