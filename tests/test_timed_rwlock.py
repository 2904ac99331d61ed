"""The queued rwlock in simulated time: first come first served, hardirqs past the queue."""

from __future__ import annotations

from hgeisim.drivers.timed.driver import TimedDriver
from hgeisim.kernel.structs import Thread
from hgeisim.machine.ipi import Ipi
from hgeisim.machine.ops import Op, Path
from hgeisim.machine.rwlock import RwLock, rwlock
from tests.timed import IPI, LOCK, SWITCH, UNLOCK, Log, machine, now, start, work

HOLD = 5_000


def section(driver: TimedDriver, ops: tuple[Op, Op], plan: tuple[str, int], log: Log) -> Path[None]:
    """Come after some ns, hold for `HOLD` ns."""
    (take, drop), (name, before) = ops, plan
    yield work(driver, before)
    yield take
    log.append((f"{name} in", now(driver) - SWITCH))
    yield work(driver, HOLD)
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
    turn = HOLD + UNLOCK
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
    """A hardirq that reads after some ns."""
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
    """A reader, a writer behind it, and a hardirq on one of their HARTs that reads."""
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
    assert contended_with_hardirq(1, 2 * HOLD) == expected
