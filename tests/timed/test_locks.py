"""Locks in simulated time: first come, first served, and a spinning HART is deaf.

Hardirqs bypass the queue of the queued rwlock.
"""

from __future__ import annotations

import pytest

from hgeisim.drivers.timed.driver import TimedDriver
from hgeisim.drivers.timed.simulation import simulate
from hgeisim.kernel.structs import Thread
from hgeisim.machine.ipi import Ipi
from hgeisim.machine.ops import Op, Path
from hgeisim.machine.rwlock import RwLock, rwlock
from hgeisim.machine.spinlock import Acquire, RawSpinlock, Release
from hgeisim.machine.task import Runner
from hgeisim.scenario.load import load_scenario
from hgeisim.watch.lock_uses import LockTable
from tests.support.timed_machine import (
    ENTRY,
    HANDLER,
    IPI,
    LOCK,
    SWITCH,
    UNLOCK,
    Log,
    at,
    critical_section,
    machine,
    now,
    raises,
    start,
    work,
)

SECTION_NS = 5_000
"""How long each task holds the lock."""


def contend(driver: TimedDriver, lock: RawSpinlock, *arrivals: int) -> Log:
    """One task on each HART asks for the lock after its time of arrival in ns, and holds it for
    `SECTION_NS`."""
    log: Log = []
    for cpu, after in enumerate(arrivals):
        plan = (f"t{cpu}", after, SECTION_NS)
        start(driver, f"t{cpu}", cpu, critical_section(driver, lock, plan, log))
    driver.env.run()
    return [(what, when - SWITCH) for what, when in log]


def waits(driver: TimedDriver) -> list[tuple[str, str, int]]:
    """Record each wait for a lock: the context, the lock, and how many ns."""
    found: list[tuple[str, str, int]] = []

    def note(who: Runner, op: Op, waited_ns: int) -> None:
        assert isinstance(op, Acquire)
        found.append((who.name, op.lock.name, waited_ns))

    driver.done[Acquire] = [note]
    return found


def test_alone_it_costs_a_lock_and_an_unlock() -> None:
    driver = machine(1)
    assert contend(driver, driver.k.hgei[0].lock, 0) == [
        ("t0 asks", 0),
        ("t0 in", LOCK),
        ("t0 out", LOCK + SECTION_NS + UNLOCK),
    ]


def test_two_contenders() -> None:
    driver = machine(1, 1)
    found = waits(driver)
    turn = LOCK + SECTION_NS + UNLOCK
    assert contend(driver, driver.k.hgei[0].lock, 0, 100) == [
        ("t0 asks", 0),
        ("t0 in", LOCK),
        ("t1 asks", 100),
        ("t0 out", turn),
        ("t1 in", turn + LOCK),
        ("t1 out", 2 * turn),
    ]
    assert found == [("t0", "hgei0.lock", 0), ("t1", "hgei0.lock", turn - 100)]


def test_three_contenders_enter_in_the_order_of_their_tickets() -> None:
    driver = machine(1, 1, 1)
    found = waits(driver)
    log = contend(driver, driver.k.hgei[1].lock, 0, 300, 200)
    turn = LOCK + SECTION_NS + UNLOCK
    assert [entry for entry in log if not entry[0].endswith("asks")] == [
        ("t0 in", LOCK),
        ("t0 out", turn),
        ("t2 in", turn + LOCK),
        ("t2 out", 2 * turn),
        ("t1 in", 2 * turn + LOCK),
        ("t1 out", 3 * turn),
    ]
    assert [wait for _, _, wait in found] == [0, turn - 200, 2 * turn - 300]


def test_the_lock_table_has_the_same_times() -> None:
    driver = machine(1, 1, 1)
    lock = driver.k.hgei[2].lock
    table = LockTable([lock])
    take, drop = driver.done[Acquire], driver.done[Release]
    take.append(lambda who, op, waited_ns: table.acquired(lock, now(driver), waited_ns))
    drop.append(lambda who, op, waited_ns: table.released(lock, now(driver)))
    contend(driver, lock, 0, 300, 200)
    turn, held = LOCK + SECTION_NS + UNLOCK, SECTION_NS + UNLOCK
    assert table.uses[lock].row() == (3, 2, 3 * turn - 500, 2 * turn - 300, 3 * held, held)


def test_a_wait_is_reported_for_the_lock_that_was_waited_for() -> None:
    driver = machine(1, 1, 1)
    found = waits(driver)
    log: Log = []
    contended, free = driver.k.hgei[0].lock, driver.k.hgei[1].lock
    later_ns = SECTION_NS + UNLOCK + 5
    for cpu, lock, before in ((0, contended, 0), (1, contended, 100), (2, free, later_ns)):
        plan = (f"t{cpu}", before, SECTION_NS)
        start(driver, f"t{cpu}", cpu, critical_section(driver, lock, plan, log))
    driver.env.run()
    turn = LOCK + SECTION_NS + UNLOCK
    assert found == [
        ("t0", "hgei0.lock", 0),
        ("t2", "hgei1.lock", 0),
        ("t1", "hgei0.lock", turn - 100),
    ]


def test_a_cpu_that_spins_or_holds_is_deaf() -> None:
    driver = machine(1, 1)
    log: Log = []
    lock = driver.k.hgei[1].lock
    start(driver, "t0", 0, critical_section(driver, lock, ("t0", 0, SECTION_NS), log))
    start(driver, "t1", 1, critical_section(driver, lock, ("t1", 100, SECTION_NS), log))
    handled = handlers(driver)
    at(driver, SWITCH + 200, raises(driver, 1, 1))  # t1 spins
    driver.env.run(SWITCH + SECTION_NS)
    assert driver.k.hart[1].sgei_pending()
    driver.env.run()
    out = SWITCH + 2 * (LOCK + SECTION_NS + UNLOCK)
    assert handled == [("hardirq/1", out + ENTRY + LOCK)]
    assert log[-1] == ("t1 out", out + HANDLER), "the task goes on when its handler has ended"


def test_a_cpu_that_holds_is_deaf_until_the_unlock() -> None:
    driver = machine(1)
    log: Log = []
    lock = driver.k.hgei[0].lock
    start(driver, "t0", 0, critical_section(driver, lock, ("t0", 0, SECTION_NS), log))
    handled = handlers(driver)
    at(driver, SWITCH + LOCK + 1, raises(driver, 0, 1))
    driver.env.run()
    assert handled == [("hardirq/0", SWITCH + LOCK + SECTION_NS + UNLOCK + ENTRY + LOCK)]


def test_a_cpu_that_works_takes_interrupts_immediately() -> None:
    driver = machine(1)
    handled = handlers(driver)
    start(driver, "t0", 0, busy(driver))
    at(driver, SWITCH + 7, raises(driver, 0, 1))
    driver.env.run()
    assert handled == [("hardirq/0", SWITCH + 7 + ENTRY + LOCK)]


def handlers(driver: TimedDriver) -> Log:
    """Record when each handler has its lock."""
    found: Log = []

    def note(who: Runner, op: Op, waited_ns: int) -> None:
        if who.id == 0:
            found.append((who.name, now(driver)))

    driver.done[Acquire] = [note]
    return found


def busy(driver: TimedDriver) -> Path[None]:
    yield work(driver, SECTION_NS)


@pytest.mark.slow
def test_no_cpu_waits_longer_than_all_others_may_hold() -> None:
    """Tickets are fair: a CPU waits for each other CPU at most once."""
    scenario = load_scenario("big-little")
    sim = simulate(scenario)
    sim.run(scenario.run.until)
    others = len(sim.k.hart) - 1
    for lock, use in sim.recorded["locks"].locks.uses.items():
        if isinstance(lock, RawSpinlock):
            assert use.wait_ns_max <= others * (use.hold_ns_max + 40), lock.name


def section(driver: TimedDriver, ops: tuple[Op, Op], plan: tuple[str, int], log: Log) -> Path[None]:
    """Ask for a lock after some ns, and hold it for `SECTION_NS`."""
    (take, drop), (name, before) = ops, plan
    yield work(driver, before)
    yield take
    log.append((f"{name} in", now(driver) - SWITCH))
    yield work(driver, SECTION_NS)
    yield drop
    log.append((f"{name} out", now(driver) - SWITCH))


def of_reader(lock: RwLock) -> tuple[Op, Op]:
    return lock.read_lock, lock.read_unlock


def of_writer(lock: RwLock) -> tuple[Op, Op]:
    return lock.write_lock, lock.write_unlock


def test_first_come_first_served_in_time() -> None:
    driver, lock = machine(1, 1, 1, 1, 1), rwlock(None, "lock", "class")
    log: Log = []
    waits: list[tuple[str, int]] = []
    reader, writer = of_reader(lock), of_writer(lock)
    for op in (reader[0], writer[0]):
        driver.done[type(op)] = [lambda who, op, waited_ns: waits.append((who.name, waited_ns))]
    for cpu, ops in enumerate((reader, writer, reader, reader, writer)):
        start(driver, f"t{cpu}", cpu, section(driver, ops, (f"t{cpu}", 100 * cpu), log))
    driver.env.run()
    turn = SECTION_NS + UNLOCK
    first, second, third = LOCK + turn, LOCK + 2 * turn, LOCK + 3 * turn
    assert log == [
        ("t0 in", LOCK),
        ("t0 out", first),
        ("t1 in", first),
        ("t1 out", second),
        ("t2 in", second),
        ("t3 in", second),
        ("t2 out", third),
        ("t3 out", third),
        ("t4 in", third),
        ("t4 out", third + turn),
    ]
    asked = [100 * cpu + LOCK for cpu in range(5)]
    ins = LOCK, first, second, second, third
    assert waits == [(f"t{cpu}", ins[cpu] - asked[cpu]) for cpu in range(5)]


def handler(driver: TimedDriver, lock: RwLock, ns: int, log: Log) -> Path[None]:
    """A hardirq that takes the lock as a reader after some ns."""
    yield work(driver, ns)
    yield lock.read_lock
    log.append(("hardirq in", now(driver) - SWITCH))
    yield lock.read_unlock


def interrupt(driver: TimedDriver, who: Thread, cpu: int, ipi: Ipi) -> Path[None]:
    """Send an IPI to a HART, 200 ns after the start."""
    yield work(driver, 200)
    who.ipi_mask = 1 << cpu
    yield ipi


def contended_with_hardirq(cpu: int, ns: int) -> list[str]:
    """A reader, a writer behind it, and a reading hardirq on the HART of one of them."""
    driver, lock = machine(1, 1, 1), rwlock(None, "lock", "class")
    log: Log = []
    ipi = Ipi(lambda current, sender: handler(driver, lock, ns, log))
    start(driver, "t0", 0, section(driver, of_reader(lock), ("t0", IPI), log))
    start(driver, "t1", 1, section(driver, of_writer(lock), ("t1", IPI + 100), log))
    sender = driver.k.add_thread("t2", 2)
    driver.spawn(sender, interrupt(driver, sender, cpu, ipi))
    driver.env.run()
    return [what for what, _ in log]


def test_a_hardirq_goes_past_the_writer_in_time() -> None:
    expected = ["t0 in", "hardirq in", "t0 out", "t1 in", "t1 out"]
    assert contended_with_hardirq(0, 100) == expected


def test_a_spinner_that_is_interrupted_does_not_get_in() -> None:
    """The lock is free while the writer's HART is in its hardirq, which takes it first."""
    expected = ["t0 in", "t0 out", "hardirq in", "t1 in", "t1 out"]
    assert contended_with_hardirq(1, 2 * SECTION_NS) == expected
