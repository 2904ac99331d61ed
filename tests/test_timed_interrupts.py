"""Hardirqs in simulated time: what they take from the task below them, and IPIs with their wait."""

from __future__ import annotations

import pytest

from hgeisim.drivers.timed.driver import TimedDriver
from hgeisim.kernel.state import Thread, Vcpu
from hgeisim.machine.ops import Path
from tests.timed import (
    ENTRY,
    FIND,
    GUEST_ENTRY,
    HANDLER,
    IPI,
    LOCK,
    SWEEP,
    SWITCH,
    UNLOCK,
    WAKE,
    Log,
    at,
    critical_section,
    guest,
    machine,
    now,
    sgei,
    start,
    work,
)

RUN = 70_000
ENTERED = SWITCH + FIND + SWEEP + GUEST_ENTRY
"""When a vCPU that is alone on its HART is in its guest for the first time."""


def run_once(driver: TimedDriver, cpu: int, log: Log) -> Vcpu:
    """A vCPU that runs its guest once; with `log`, when it came back."""
    vcpu = guest(driver, f"v{cpu}", cpu, RUN)

    def path() -> Path[None]:
        yield from driver.k.kvm_arch_vcpu_ioctl_run(vcpu.thread, vcpu)
        log.append((vcpu.name, now(driver)))

    driver.spawn(vcpu.thread, path())
    return vcpu


def end_of_run(*raises: tuple[int, tuple[int, ...]]) -> int:
    """How much later a guest with line 1 comes back when these lines are raised at these times,
    without the one exit and entry that all of them cost."""
    driver = machine(3)
    log: Log = []
    run_once(driver, 0, log)
    for when, lines in raises:
        at(driver, when, sgei(driver, 0, *lines))
    driver.env.run()
    again = GUEST_ENTRY if raises else 0
    return log[0][1] - ENTERED - RUN - again


def test_undisturbed() -> None:
    assert end_of_run() == 0


@pytest.mark.parametrize(
    ("lines", "later"),
    [((2,), HANDLER), ((1,), HANDLER + WAKE), ((2, 3), HANDLER), ((1, 2), HANDLER + WAKE)],
)
def test_a_handler_takes_its_time_from_the_guest(lines: tuple[int, ...], later: int) -> None:
    assert end_of_run((ENTERED + 500, lines)) == later


def test_two_handlers_take_both_times() -> None:
    assert end_of_run((ENTERED + 500, (2,)), (ENTERED + 40_000, (1,))) == 2 * HANDLER + WAKE


def test_a_line_raised_while_a_handler_runs_is_handled_after_it() -> None:
    assert end_of_run((ENTERED + 500, (2,)), (ENTERED + 500 + ENTRY + 5, (3,))) == 2 * HANDLER


def test_a_handler_across_the_end_of_the_guest_counts_once() -> None:
    assert end_of_run((ENTERED + RUN - 50, (2,))) == HANDLER


def test_a_handler_within_time_that_another_added() -> None:
    assert end_of_run((ENTERED + RUN - 50, (2,)), (ENTERED + RUN + 80, (1,))) == 2 * HANDLER + WAKE


def test_a_handler_on_another_hart_takes_nothing() -> None:
    driver = machine(3, 3)
    log: Log = []
    run_once(driver, 0, log)
    at(driver, ENTERED + 500, sgei(driver, 1, 2))
    driver.env.run()
    assert log == [("v0", ENTERED + RUN)]


def send(driver: TimedDriver, target: int, log: Log) -> Thread:
    """A task on HART 0 that reads a VS-file of another HART by IPI."""
    k = driver.k
    sender = k.add_thread("sender", 0)

    def path() -> Path[None]:
        log.append(("sends", now(driver)))
        yield from k.imsic_vsfile_read(sender, target, 1)
        log.append(("goes on", now(driver)))

    driver.spawn(sender, path())
    return sender


def test_a_sender_waits_for_ipi_entry_and_handler() -> None:
    driver = machine(1, 1)
    log: Log = []
    send(driver, 1, log)
    driver.env.run()
    assert log == [("sends", SWITCH), ("goes on", SWITCH + IPI + ENTRY + SWEEP)]


def test_an_ipi_takes_its_handler_from_the_guest_of_its_target() -> None:
    driver = machine(1, 1)
    log: Log = []
    driver.costs.by_name["ipi"] = lambda: ENTERED - SWITCH + 100
    run_once(driver, 1, log)
    send(driver, 1, [])
    driver.env.run()
    assert log == [("v1", ENTERED + RUN + ENTRY + SWEEP + driver.costs.by_name["guest_entry"]())]


def test_an_ipi_to_a_deaf_hart_waits_for_it() -> None:
    driver = machine(1, 1)
    log: Log = []
    lock = driver.k.hgei[1].lock
    start(driver, "t1", 1, critical_section(driver, lock, ("t1", 0, 3 * IPI), []))
    send(driver, 1, log)
    driver.env.run()
    assert log[-1] == ("goes on", SWITCH + LOCK + 3 * IPI + UNLOCK + ENTRY + SWEEP)


def test_an_ipi_to_the_own_hart_is_a_call() -> None:
    driver = machine(1)
    log: Log = []
    send(driver, 0, log)
    driver.env.run()
    assert log[-1] == ("goes on", SWITCH + ENTRY + SWEEP)


def test_two_ipis_to_one_hart_are_handled_one_after_the_other() -> None:
    driver = machine(1, 1, 1)
    first: Log = []
    second: Log = []
    send(driver, 1, first)
    k = driver.k
    other = k.add_thread("other", 2)

    def path() -> Path[None]:
        yield work(driver, 1)
        yield from k.imsic_vsfile_read(other, 1, 1)
        second.append(("goes on", now(driver)))

    driver.spawn(other, path())
    driver.env.run()
    assert first[-1] == ("goes on", SWITCH + IPI + ENTRY + SWEEP)
    assert second == [("goes on", SWITCH + IPI + 2 * (ENTRY + SWEEP))]


def test_an_ipi_to_an_offline_hart_costs_no_wait() -> None:
    driver = machine(1, 1)
    driver.k.hart[1].online = 0
    driver.k.hart[1].hgeip = 0b10
    log: Log = []
    send(driver, 1, log)
    driver.env.run()
    assert log == [("sends", SWITCH), ("goes on", SWITCH)]
    assert driver.k.hart[1].hgeip == 0b10, "nobody has read the file"


def test_a_sender_goes_on_only_when_its_own_hart_has_left_its_handler() -> None:
    driver = machine(3, 1)
    log: Log = []
    vcpu = run_once(driver, 0, [])
    driver.env.run()
    began = now(driver)
    send(driver, 1, log)
    answer = began + SWITCH + IPI + ENTRY + SWEEP
    at(driver, answer - ENTRY - LOCK - 5, sgei(driver, 0, vcpu.vsfile_hgei))
    driver.env.run()
    assert log[-1] == ("goes on", answer - 5 + WAKE + UNLOCK)
