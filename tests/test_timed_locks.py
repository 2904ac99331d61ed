"""Locks in simulated time: first come first served, and deaf while spinning."""

from __future__ import annotations

import pytest

from hgeisim.drivers.timed.driver import TimedDriver
from hgeisim.drivers.timed.simulation import simulate
from hgeisim.machine.ops import Op, Path
from hgeisim.machine.spinlock import Acquire, RawSpinlock, Release
from hgeisim.machine.task import Runner
from hgeisim.record.locks import LockTable
from hgeisim.scenario.load import load_scenario
from tests.timed import (
    ENTRY,
    HANDLER,
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

HOLD = 5_000


def contend(driver: TimedDriver, lock: RawSpinlock, *arrivals: int) -> Log:
    """One task a HART comes to the lock after so many ns; each holds it for `HOLD` ns."""
    log: Log = []
    for cpu, after in enumerate(arrivals):
        plan = (f"t{cpu}", after, HOLD)
        start(driver, f"t{cpu}", cpu, critical_section(driver, lock, plan, log))
    driver.env.run()
    return [(what, when - SWITCH) for what, when in log]


def waits(driver: TimedDriver) -> list[tuple[str, str, int]]:
    """Record each wait for a lock: who, for which, ns."""
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
        ("t0 out", LOCK + HOLD + UNLOCK),
    ]


def test_two_contenders() -> None:
    driver = machine(1, 1)
    found = waits(driver)
    turn = LOCK + HOLD + UNLOCK
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
    turn = LOCK + HOLD + UNLOCK
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
    turn, held = LOCK + HOLD + UNLOCK, HOLD + UNLOCK
    assert table.uses[lock].row() == (3, 2, 3 * turn - 500, 2 * turn - 300, 3 * held, held)


def test_a_wait_is_told_of_the_lock_that_was_waited_for() -> None:
    driver = machine(1, 1, 1)
    found = waits(driver)
    log: Log = []
    contended, free = driver.k.hgei[0].lock, driver.k.hgei[1].lock
    for cpu, lock, before in ((0, contended, 0), (1, contended, 100), (2, free, HOLD + UNLOCK + 5)):
        plan = (f"t{cpu}", before, HOLD)
        start(driver, f"t{cpu}", cpu, critical_section(driver, lock, plan, log))
    driver.env.run()
    turn = LOCK + HOLD + UNLOCK
    assert found == [
        ("t0", "hgei0.lock", 0),
        ("t2", "hgei1.lock", 0),
        ("t1", "hgei0.lock", turn - 100),
    ]


def test_a_cpu_that_spins_or_holds_is_deaf() -> None:
    driver = machine(1, 1)
    log: Log = []
    lock = driver.k.hgei[1].lock
    start(driver, "t0", 0, critical_section(driver, lock, ("t0", 0, HOLD), log))
    start(driver, "t1", 1, critical_section(driver, lock, ("t1", 100, HOLD), log))
    handled = handlers(driver)
    at(driver, SWITCH + 200, raises(driver, 1, 1))  # t1 spins
    driver.env.run(SWITCH + HOLD)
    assert driver.k.hart[1].sgei_pending()
    driver.env.run()
    out = SWITCH + 2 * (LOCK + HOLD + UNLOCK)
    assert handled == [("hardirq/1", out + ENTRY + LOCK)]
    assert log[-1] == ("t1 out", out + HANDLER), "the task goes on when its handler has ended"


def test_a_cpu_that_holds_is_deaf_until_the_unlock() -> None:
    driver = machine(1)
    log: Log = []
    lock = driver.k.hgei[0].lock
    start(driver, "t0", 0, critical_section(driver, lock, ("t0", 0, HOLD), log))
    handled = handlers(driver)
    at(driver, SWITCH + LOCK + 1, raises(driver, 0, 1))
    driver.env.run()
    assert handled == [("hardirq/0", SWITCH + LOCK + HOLD + UNLOCK + ENTRY + LOCK)]


def test_a_cpu_that_works_hears_at_once() -> None:
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
    yield work(driver, HOLD)


@pytest.mark.slow
def test_nobody_waits_longer_than_all_others_may_hold() -> None:
    """Tickets are fair: a CPU waits for each other CPU once, at most."""
    scenario = load_scenario("big-little")
    sim = simulate(scenario)
    sim.run(scenario.run.until)
    others = len(sim.k.hart) - 1
    for lock, use in sim.recorded["locks"].locks.uses.items():
        if isinstance(lock, RawSpinlock):
            assert use.wait_ns_max <= others * (use.hold_ns_max + 40), lock.name
