"""Hardirqs in simulated time: the time they take from the task or the guest below them."""

from __future__ import annotations

import pytest

from hgeisim.drivers.timed.driver import TimedDriver
from hgeisim.machine.ops import Path
from hgeisim.machine.spinlock import RawSpinlock
from tests.support.timed_machine import (
    AGAIN,
    ENTERED,
    ENTRY,
    FIND,
    FIRST_ENTRY,
    HANDLER,
    IPI,
    SEND,
    STRETCH,
    SWITCH,
    Log,
    at,
    busy_for,
    injects,
    machine,
    now,
    raises,
    run_once,
    start,
    work,
)


def end_of_run(*interrupts: tuple[int, tuple[int, ...]]) -> int:
    """The time at which a guest with line 1 comes back if these lines are raised at these times."""
    driver = machine(3)
    log: Log = []
    run_once(driver, 0, log)
    for when, lines in interrupts:
        at(driver, when, raises(driver, 0, *lines))
    driver.env.run()
    return log[0][1] - ENTERED - STRETCH


def test_undisturbed() -> None:
    assert end_of_run() == 0


@pytest.mark.parametrize("lines", [(1,), (2,), (2, 3), (1, 2)])
def test_a_handler_makes_the_guest_exit_and_it_goes_on_with_the_rest(
    lines: tuple[int, ...],
) -> None:
    assert end_of_run((ENTERED + 500, lines)) == HANDLER + AGAIN


def test_two_handlers_take_both_times() -> None:
    later = 2 * (HANDLER + AGAIN)
    assert end_of_run((ENTERED + 500, (2,)), (ENTERED + 40_000, (1,))) == later


def test_a_line_raised_while_a_handler_runs_is_handled_once_interrupts_are_on() -> None:
    second = ENTERED + 500 + ENTRY + 5
    assert end_of_run((ENTERED + 500, (2,)), (second, (3,))) == 2 * HANDLER + AGAIN


def test_a_handler_at_the_very_end_of_the_stretch_leaves_no_rest() -> None:
    assert end_of_run((ENTERED + STRETCH, (2,))) == HANDLER + AGAIN


def test_an_interrupt_on_the_way_into_the_guest_is_taken_there() -> None:
    """The whole stretch is still ahead."""
    assert end_of_run((ENTERED - 500, (2,))) == HANDLER + AGAIN


def test_a_handler_on_another_hart_takes_nothing() -> None:
    driver = machine(3, 3)
    log: Log = []
    run_once(driver, 0, log)
    at(driver, ENTERED + 500, raises(driver, 1, 2))
    driver.env.run()
    assert log == [("v0", ENTERED + STRETCH)]


def test_a_stretch_of_work_is_done_whole_however_often_it_is_interrupted() -> None:
    """Each interrupt costs its handler and the way back in; the guest computes for `STRETCH` ns."""
    times = 9
    interrupts = [(ENTERED + 12_000 * (i + 1), (2,)) for i in range(times)]
    assert end_of_run(*interrupts) == times * (HANDLER + AGAIN)


def test_a_device_takes_its_time_from_the_task_that_it_interrupts() -> None:
    driver = machine(2, 2)
    log: Log = []
    vcpu = run_once(driver, 1, log)
    task = start(driver, "t", 0, logged(driver, 5 * SWITCH, log))
    at(driver, ENTERED + 100, injects(driver, 0, vcpu))
    driver.env.run()
    injected = FIND + SEND  # vsfile_lock around the store, and the kick of v6.12
    assert dict(log)["t"] == SWITCH + 5 * SWITCH + ENTRY + injected
    assert task.cpu == 0


def logged(driver: TimedDriver, ns: int, log: Log) -> Path[None]:
    yield from busy_for(driver, ns)
    log.append(("t", now(driver)))


def test_a_kick_makes_a_running_guest_exit_and_it_goes_on_with_the_rest() -> None:
    driver = machine(2, 2)
    log: Log = []
    vcpu = run_once(driver, 1, log)
    k = driver.k
    kicker = k.add_thread("kicker", 0)

    def kick() -> Path[None]:
        yield work(driver, FIRST_ENTRY + 1000)
        yield from k.kvm_vcpu_kick(kicker, vcpu)

    driver.costs.by_name["ipi"] = lambda: 2000
    driver.spawn(kicker, kick())
    driver.env.run()
    assert log == [("v1", ENTERED + STRETCH + ENTRY + AGAIN)]


def test_a_kick_that_arrives_after_the_guest_left_takes_an_interrupt_entry() -> None:
    driver = machine(2, 2)
    log: Log = []
    vcpu = run_once(driver, 1, log)
    at(driver, ENTERED + 100, injects(driver, 0, vcpu))
    task_done = ENTERED + STRETCH
    driver.env.run()
    assert log == [("v1", task_done)]
    assert now(driver) == ENTERED + 100 + ENTRY + 10 + SEND + IPI + ENTRY, "the IPI comes too late"


def test_an_interrupted_wait_for_a_lock_notices_its_turn_after_the_handler() -> None:
    """The lock is dropped while a hardirq runs on top of the task that waits for it."""
    driver = machine(2, 2)
    log: Log = []
    lock = driver.k.add_vm("vm").mmu_lock
    start(driver, "holder", 0, section(driver, lock, 1000, log))
    start(driver, "waiter", 1, section(driver, lock, 10, log))
    driver.costs.by_name["interrupt_entry"] = lambda: 5000
    at(driver, SWITCH + 500, raises(driver, 1, 2))
    driver.env.run()
    handler_ends = SWITCH + 500 + 5000 + FIND
    assert log == [("in", SWITCH + 10), ("in", handler_ends + 10)]


def section(driver: TimedDriver, lock: RawSpinlock, ns: int, log: Log) -> Path[None]:
    """Hold a lock with interrupts on."""
    yield lock.lock
    log.append(("in", now(driver)))
    yield work(driver, ns)
    yield lock.unlock


def test_a_handler_takes_its_time_from_an_unlock_with_interrupts_on() -> None:
    driver = machine(2)
    log: Log = []
    lock = driver.k.add_vm("vm").mmu_lock
    driver.unlock_ns = 1000

    def path() -> Path[None]:
        yield from section(driver, lock, 0, log)
        log.append(("out", now(driver)))

    start(driver, "t", 0, path())
    at(driver, SWITCH + 10 + 300, raises(driver, 0, 2))
    driver.env.run()
    assert log[-1] == ("out", SWITCH + 10 + 1000 + ENTRY + 10 + 1000)
