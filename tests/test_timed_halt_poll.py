"""Halt polling in simulated time: a vCPU looks for an interrupt for a while before it sleeps."""

from __future__ import annotations

import pytest

from hgeisim.drivers.timed.driver import TimedDriver
from hgeisim.kernel.structs import Vcpu
from hgeisim.machine.ops import Path
from tests.timed import FIND, POLL, SWITCH, Log, at, busy_for, guest, machine, now, start, stores

MAX_NS = 500_000
RUN = 70_000
ROUND = FIND + POLL
"""One look at what is pending, and the pause after it."""


def waiting(driver: TimedDriver, polls_ns: int, log: Log) -> Vcpu:
    """A vCPU that runs its guest once and then halts, polling for so long at first."""
    driver.k.halt_poll_ns_max = MAX_NS
    vcpu = guest(driver, "v", 0, RUN)
    k, thread = driver.k, vcpu.thread

    def path() -> Path[None]:
        yield from k.kvm_vcpu_ioctl_begin(thread, vcpu)
        yield from k.vcpu_enter_guest(thread, vcpu)
        vcpu.halt_poll_ns = polls_ns
        log.append(("halts", now(driver)))
        yield from k.kvm_vcpu_halt(thread, vcpu)
        log.append(("goes on", now(driver)))

    driver.spawn(thread, path())
    return vcpu


def halts(after_ns: int, polls_ns: int) -> tuple[int, int, int]:
    """An MSI comes so long after the halt: how long it took, the time to poll from then on, and
    how often the HART switched."""
    driver = machine(2)
    log: Log = []
    vcpu = waiting(driver, polls_ns, log)
    while not log:
        driver.env.step()
    began = log[0][1]
    at(driver, began + after_ns, stores(driver, vcpu))
    driver.env.run()
    return log[1][1] - began, vcpu.halt_poll_ns, vcpu.wait.waiter


def test_polling_finds_an_interrupt_without_sleeping() -> None:
    took, polls_ns, _ = halts(3 * ROUND - 1000, 400_000)
    assert took == 4 * ROUND - POLL, "at the next look"
    assert polls_ns == 400_000, "it was long enough"


def test_without_polling_it_sleeps_at_once() -> None:
    took, polls_ns, _ = halts(200_000, 0)
    assert took > 200_000 + SWITCH
    assert polls_ns == 0


@pytest.mark.parametrize(
    ("polls_ns", "switch_ns", "then_ns"),
    [(0, 100, 10_000), (10_000, 100, 20_000), (300_000, 100, MAX_NS), (0, SWITCH, 0)],
)
def test_it_grows_after_a_short_sleep(polls_ns: int, switch_ns: int, then_ns: int) -> None:
    """From 10 us on, twice as long each time, up to the maximum; the sleep was short if it and the
    way back took less than the maximum."""
    driver = machine(2)
    driver.costs.by_name["context_switch"] = lambda: switch_ns
    log: Log = []
    vcpu = waiting(driver, polls_ns, log)
    while not log:
        driver.env.step()
    at(driver, log[0][1] + polls_ns + ROUND + 20_000, stores(driver, vcpu))
    driver.env.run()
    assert vcpu.halt_poll_ns == then_ns


def test_it_shrinks_after_a_long_sleep() -> None:
    took, polls_ns, _ = halts(2 * MAX_NS, 100_000)
    assert took > 2 * MAX_NS
    assert polls_ns == 50_000


def test_it_stops_when_somebody_else_wants_the_hart() -> None:
    driver = machine(2)
    log: Log = []
    waiting(driver, 100 * POLL, log)
    while not log:
        driver.env.step()
    began = log[0][1]
    driver.env.run(began + ROUND + 1000)

    def other() -> Path[None]:
        log.append(("other", now(driver)))
        yield from busy_for(driver, 1)

    start(driver, "other", 0, other())
    driver.env.run(began + 10 * SWITCH)
    blocks = began + 2 * ROUND + FIND + FIND  # arms the line, and looks once more
    assert log[1] == ("other", blocks + FIND + SWITCH)


def test_a_machine_with_halt_polling_switches_less() -> None:
    """The same interrupts, soon after each halt."""
    switches = []
    for max_ns in (0, MAX_NS):
        driver = machine(2)
        driver.costs.by_name["context_switch"] = lambda: 2_000
        driver.k.halt_poll_ns_max = max_ns
        vcpu = guest(driver, "v", 0, RUN)
        driver.spawn(vcpu.thread, driver.k.vcpu_thread(vcpu.thread, vcpu))
        for i in range(1, 100):
            at(driver, 1_000_000 + i * 120_000, stores(driver, vcpu))
        count = [0]
        pick = driver.scheduler.switched

        def counting(who: object, count: list[int] = count, pick: object = pick) -> None:
            count[0] += 1
            pick(who)  # type: ignore[operator]

        driver.scheduler.switched = counting  # type: ignore[method-assign]
        driver.env.run(13_000_000)
        switches.append(count[0])
    assert switches[0] > 90
    assert switches[1] < 20
