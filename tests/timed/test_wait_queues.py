"""Waits that are not over when a run ends: judged by the state in which the context began to wait,
whatever its HART does at the end, and reported with the time since when."""

from __future__ import annotations

from functools import cache
from operator import attrgetter

import pytest

from hgeisim.checks.known import new_findings
from hgeisim.drivers.timed.driver import TimedDriver
from hgeisim.drivers.timed.simulation import Simulation, simulate
from hgeisim.drivers.timed.wait_queues import Waits
from hgeisim.machine.ipi import Ipi
from hgeisim.machine.mutex import mutex, rwsem
from hgeisim.machine.ops import LOCAL_IRQ_DISABLE, PREEMPT_DISABLE, Op, Path
from hgeisim.machine.rwlock import rwlock
from hgeisim.machine.schedule import STOP_MACHINE
from hgeisim.machine.spinlock import raw_spinlock, spinlock
from hgeisim.machine.srcu import srcu
from hgeisim.machine.task import Runner
from hgeisim.scenario.load import load_scenario
from tests.support.source import ROOT
from tests.support.timed_machine import SWITCH, at, machine, simulation, start, work
from tests.watch.test_lock_order import look_at_waits, ops, watched

S = 10**12
LATE = 100 * S


def keeps(driver: TimedDriver, *wanted: Op) -> Path[None]:
    """Do something and work for longer than the run takes."""
    yield from ops(*wanted, work(driver, 2 * LATE))


def interrupted(driver: TimedDriver, cpu: int, *wanted: Op) -> None:
    """A hardirq that does something and does not end."""
    at(driver, S, lambda: driver.interrupt(cpu, lambda current: keeps(driver, *wanted)))


class Locks:
    """One free lock of each kind; `of` finds an operation by its name."""

    def __init__(self) -> None:
        self.mutex, self.rwsem = mutex(None, "mutex", "M"), rwsem(None, "rwsem", "W")
        self.srcu, self.raw = srcu(None, "srcu"), raw_spinlock(None, "raw", "A")
        self.spin = spinlock(None, "spin", "S", realtime=False)
        self.rw = rwlock(None, "rw", "S")
        self.preempt_disable, self.local_irq_disable = PREEMPT_DISABLE, LOCAL_IRQ_DISABLE

    def of(self, name: str) -> Op:
        """The operation `name`, such as "mutex.lock"."""
        op: Op = attrgetter(name)(self)
        return op


SLEEPS = [
    ("mutex.lock", "mutex.lock"),
    ("rwsem.down_write", "rwsem.down_write"),
    ("rwsem.down_write", "rwsem.down_read"),
    ("srcu.srcu_read_lock", "srcu.synchronize_srcu"),
]
"""What another task holds, and who waits for that."""
KEEPS_OUT = ["preempt_disable", "local_irq_disable", "raw.lock", "raw.lock_irqsave"]


@pytest.mark.parametrize("other", KEEPS_OUT)
@pytest.mark.parametrize(("holds", "waits"), SLEEPS)
def test_a_sleeper_is_not_judged_by_the_task_on_its_hart(
    holds: str, waits: str, other: str
) -> None:
    locks, driver = Locks(), machine(1, 1)
    order = watched(driver)
    start(driver, "holder", 1, keeps(driver, locks.of(holds)))
    driver.env.run(until=S)
    start(driver, "sleeper", 0, ops(locks.of(waits)))
    driver.env.run(until=2 * S)
    start(driver, "other", 0, keeps(driver, locks.of(other)))
    driver.env.run(until=LATE)
    assert driver.k.hart[0].irq_off or driver.k.hart[0].preempt_count
    look_at_waits(driver, order)
    assert [finding.id for finding in order.found] == []


@pytest.mark.parametrize(
    ("own", "by"), [("preempt_disable", "preemption off in ops"), ("raw.lock", "A")]
)
@pytest.mark.parametrize(("waits", "lock"), [("mutex.lock", "M"), ("rwsem.down_write", "W")])
def test_a_task_that_sleeps_where_it_must_not_is_reported_though_others_have_its_hart(
    waits: str, lock: str, own: str, by: str
) -> None:
    """It gave up its HART with preemption off; the task that has the HART now has it on."""
    locks, driver = Locks(), machine(1, 1)
    order = watched(driver)
    start(driver, "holder", 1, keeps(driver, locks.of(waits)))
    driver.env.run(until=S)
    start(driver, "sleeper", 0, ops(locks.of(own), locks.of(waits)))
    driver.env.run(until=LATE)
    look_at_waits(driver, order)
    assert [finding.id for finding in order.found] == [f"wait-context:{lock} {by}"]


@pytest.mark.parametrize("on_top", ["raw.lock", "raw.lock_irqsave", "local_irq_disable"])
@pytest.mark.parametrize("deaf", [False, True])
def test_a_wait_for_an_ipi_is_not_judged_by_the_hardirq_on_top(on_top: str, deaf: bool) -> None:
    """The HART that has to answer keeps interrupts off; if `deaf`, the waiting one does, too."""
    driver = machine(1, 1)
    order = watched(driver)
    who = driver.k.add_thread("t", 0)

    def handler(current: Runner, sender: Runner) -> Path[None]:
        yield from ops()

    def sends() -> Path[None]:
        if deaf:
            yield LOCAL_IRQ_DISABLE
        who.ipi_mask = 2
        yield Ipi(handler)

    start(driver, "other", 1, keeps(driver, LOCAL_IRQ_DISABLE))
    driver.env.run(until=S // 2)
    driver.spawn(who, sends())
    interrupted(driver, 0, Locks().of(on_top))
    driver.env.run(until=LATE)
    assert driver.cores[0].busy is not deaf
    look_at_waits(driver, order)
    ids = ["ipi-irqs-off:sends hardirqs off in sends"] if deaf else []
    assert [finding.id for finding in order.found] == ids


@pytest.mark.parametrize("take", ["raw.lock", "spin.lock", "rw.write_lock"])
def test_a_spinner_with_interrupts_on_may_meet_a_handler_that_wants_the_lock(take: str) -> None:
    """Even if a hardirq keeps them off at the end: they were on when it began to spin."""
    locks, driver = Locks(), machine(1, 1)
    order = watched(driver)
    give = take.replace("lock", "unlock")
    driver.interrupt(0, lambda current: ops(locks.of(take), locks.of(give)))
    driver.env.run(until=S // 4)
    start(driver, "holder", 1, keeps(driver, LOCAL_IRQ_DISABLE, locks.of(take)))
    driver.env.run(until=S // 2)
    start(driver, "spins", 0, ops(locks.of(take)))
    interrupted(driver, 0, LOCAL_IRQ_DISABLE)
    driver.env.run(until=LATE)
    assert driver.cores[0].busy
    before = len(order.found)
    look_at_waits(driver, order)
    name = "A" if take == "raw.lock" else "S"
    ids = [finding.id for finding in order.found[before:]]
    assert ids == [f"irq-usage:{name} IN-HARDIRQ-W HARDIRQ-ON-W"]


def test_stop_machine_that_waits_for_others_is_not_judged_by_them() -> None:
    """Nor is one that sleeps for the mutex while the stopper of the first one has its HART."""
    driver = machine(1, 1, 1)
    order = watched(driver)
    start(driver, "first", 0, ops(work(driver, S), STOP_MACHINE))
    start(driver, "second", 1, ops(work(driver, 2 * S), STOP_MACHINE))
    start(driver, "other", 2, keeps(driver, PREEMPT_DISABLE))
    driver.env.run(until=LATE)
    assert driver.k.hart[1].preempt_count
    look_at_waits(driver, order)
    assert order.found == []


def test_a_context_is_not_judged_by_the_locks_of_another_path_that_it_executes_meanwhile() -> None:
    """A task that gives up its HART runs its preempt notifier first."""
    k = machine(1).k
    who, path, notifier = k.threads[0], ops(), ops()
    locks, paths = Locks(), dict[Runner, Path[None]]({who: path})
    waits = Waits(paths)
    below = waits.begin(who, locks.mutex.lock, 7)
    assert [wait.since_ns for _, wait in waits] == [7]
    paths[who] = notifier
    assert [*waits] == []
    inner = waits.begin(who, locks.raw.lock, 8)
    assert [wait.op for _, wait in waits] == [locks.raw.lock]
    waits.end(who, inner)
    paths[who] = path
    assert [wait.op for _, wait in waits] == [locks.mutex.lock]
    waits.end(who, below)
    assert waits.of(who) is None


# since when


def test_a_deadlock_is_reported_with_the_time_at_which_it_began() -> None:
    one, other = raw_spinlock(None, "a", "A"), raw_spinlock(None, "b", "B")
    sim = simulation(
        machine={"harts": [{"count": 3, "guest_files": 1}]},
        vcpu=[{"name": "v", "hart": 2}],
        task=[{"name": "v", "vcpu": "v", "does": ["block"]}],
    )
    driver = sim.driver
    start(driver, "t0", 0, ops(one.lock, work(driver, 5_000_000), other.lock))
    start(driver, "t1", 1, ops(other.lock, work(driver, 8_000_000), one.lock))
    sim.run(10**9)
    at_ns, finding = sim.findings["circular:A -EN-> B -EN->"]
    assert at_ns // 1_000_000 == (SWITCH + 8_000_000) // 1_000_000
    assert finding.text.endswith(f"; it has waited since {at_ns / 1e6:.3f} ms")


def test_a_lost_wake_up_is_reported_with_the_time_since_which_its_vcpu_sleeps() -> None:
    """Bug B-02."""
    sim = simulate(load_scenario("hotplug-storm", {"variant": "v6.12", "seed": 2}))
    sim.run(2_190_770)
    at_ns, finding = sim.findings["lost-wakeup:vcpu"]
    name = finding.text.split()[0]
    vcpu = next(vcpu for vcpu in sim.k.vcpus[1:] if vcpu and vcpu.name == name)
    wait = sim.driver.waits.of(vcpu.thread)
    assert wait is not None
    assert at_ns == wait.since_ns < 1_200_000
    assert finding.text.endswith(f"; it has slept since {at_ns / 1e6:.3f} ms")


def test_findings_come_in_the_order_in_which_they_began() -> None:
    sim = simulate(load_scenario("host-shutdown"))
    sim.run(3_000_000)
    times_ns = [at_ns for at_ns, _ in sim.findings.values()]
    assert len(times_ns) > 2
    assert times_ns == sorted(times_ns)


# where a run is cut

TWO_OFFLINE = str(ROOT / "tests" / "data" / "scenarios" / "two-offline.toml")
LONGER_WAY = (
    "circular-instances:imsic->swfile_extirq_lock -EN-> p->pi_lock -EN-> rq->__lock -EN-> "
    "imsic->vsfile_lock -SN->"
)
"""B-09 with two more locks in it, until a shorter circle has shown: no matter of waits."""


@cache
def ran(name: str, seed: int, until_us: int, preemption: str | None = None) -> Simulation:
    sim = simulate(load_scenario(name, {"seed": seed, "preemption": preemption}))
    sim.run(until_us * 1_000)
    return sim


def new(sim: Simulation) -> list[str]:
    return new_findings(sim.causes, sim.k.name, realtime=sim.k.realtime)


@pytest.mark.slow
def test_an_ipi_in_a_migration_storm_is_waited_for_with_interrupts_on() -> None:
    assert new(ran("migration-storm", 13, 10_000)) == []


@pytest.mark.parametrize("until_us", range(600, 1101, 50))
def test_a_hart_that_waits_for_another_one_to_go_offline_sleeps_where_it_may(until_us: int) -> None:
    sim = ran(TWO_OFFLINE, 1, until_us)
    assert new(sim) == []
    assert any(wait.op is sim.k.cpu_hotplug_lock.down_write for _, wait in sim.driver.waits)


@pytest.mark.slow
@pytest.mark.parametrize("preemption", [None, "rt"])
@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("name", ["hotplug-storm", "migration-storm", TWO_OFFLINE])
@pytest.mark.proof
def test_cutting_a_run_shows_nothing_that_a_longer_one_does_not(
    name: str, seed: int, preemption: str | None
) -> None:
    shown = {*new(ran(name, seed, 6_000, preemption)), LONGER_WAY}
    for until_us in range(307, 2_600, 331):
        assert {*new(ran(name, seed, until_us, preemption))} <= shown, until_us
