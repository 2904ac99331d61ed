"""The HARTs of a machine stop one by one, in simulated time, so that one can go offline."""

from __future__ import annotations

from statistics import median

import pytest

from hgeisim.drivers.timed.driver import TimedDriver
from hgeisim.drivers.timed.simulation import simulate
from hgeisim.machine.mutex import DownWrite, UpWrite
from hgeisim.machine.ops import (
    LOCAL_IRQ_DISABLE,
    LOCAL_IRQ_ENABLE,
    PREEMPT_DISABLE,
    PREEMPT_ENABLE,
    Op,
    Path,
)
from hgeisim.machine.schedule import STOP_MACHINE
from hgeisim.machine.task import Runner
from hgeisim.machine.watch import done
from hgeisim.scenario.load import scenario_from
from tests.support.timed_machine import (
    CPUHP,
    ENTRY,
    FIND,
    HANDLER,
    STOP,
    SWITCH,
    Log,
    at,
    busy_for,
    guest,
    machine,
    now,
    raises,
    running,
    start,
)

STOPS = SWITCH + CPUHP + 2 * FIND
"""When a HART that goes down from the start on wants all HARTs to stop."""
PIECE = SWITCH
"""How long tasks here work before they can be preempted."""


def test_stoppers_come_one_by_one_and_tasks_stand_still_where_they_have() -> None:
    """HART 1 stops before HART 2 can, and goes on after the work, not when HART 2 arrives."""
    driver = machine(1, 1, 1, preemption="full")
    log: Log = []
    start(driver, "deaf", 2, deaf_for(driver, 2 * CPUHP))
    start(driver, "t", 1, logged(driver, 5 * CPUHP, log))
    take_down(driver, log)
    driver.env.run()
    came = SWITCH + 2 * CPUHP + ENTRY + FIND + SWITCH
    assert log[0] == ("down", came + STOP)
    left = 5 * CPUHP - (STOPS - SWITCH) - PIECE + 2 * FIND
    assert log[1] == ("t", came + STOP + SWITCH + left)


def test_harts_that_are_never_preemptible_together_are_stopped() -> None:
    """One of the two always keeps preemption off."""
    driver = machine(1, 1, 1, preemption="full")
    log: Log = []
    for cpu in (1, 2):
        start(driver, f"t{cpu}", cpu, alternating(driver, (cpu - 1) * PIECE))
    take_down(driver, log)
    driver.env.run(until=2 * STOP)
    ((_, down_ns),) = log
    assert down_ns <= STOPS + 4 * PIECE + SWITCH + STOP


def test_where_the_stopper_has_come_interrupts_are_handled_until_all_have() -> None:
    driver = machine(1, 2, 1, preemption="full")
    log: Log = []
    start(driver, "deaf", 2, deaf_for(driver, 5 * CPUHP))
    take_down(driver, log)
    at(driver, 3 * CPUHP, raises(driver, 1, 2))
    driver.env.run(until=4 * CPUHP)
    hart = driver.k.hart[1]
    assert (hart.preempt_count, hart.irq_off, hart.hgeie) == (1, 0, 0)
    assert driver.cores[1].stolen_ns == HANDLER
    driver.env.run(until=6 * CPUHP)
    assert (hart.preempt_count, hart.irq_off) == (1, 1)
    driver.env.run()
    assert (hart.preempt_count, hart.irq_off) == (0, 0)


def test_a_guest_exits_for_the_stopper() -> None:
    driver = machine(1, 1)
    log: Log = []
    vcpu = guest(driver, "v", 1, 10**12)
    driver.spawn(vcpu.thread, running(driver, vcpu))
    take_down(driver, log)
    driver.env.run(until=STOPS - 1)
    assert driver.k.hart[1].guest
    driver.env.run(until=STOPS + 2 * SWITCH)
    assert (driver.k.hart[1].guest, driver.k.hart[1].preempt_count) == (0, 1)
    driver.env.run(until=2 * STOP)
    assert [what for what, _ in log] == ["down"]
    assert driver.k.hart[1].guest


def test_the_stopper_goes_before_the_other_threads_of_its_hart() -> None:
    """On PREEMPT_RT a thread handles the interrupts of devices, before any task."""
    driver = machine(1, 1, preemption="rt")
    log: Log = []
    driver.interrupt(1, lambda current: logged(driver, 5 * CPUHP, log))
    take_down(driver, log)
    driver.env.run()
    assert [what for what, _ in log] == ["down", "t"]


def test_nothing_preempts_the_stopper() -> None:
    """A task waits for its HART for longer than a slice, and has run for a much shorter time."""
    driver = machine(1, 1, 1, preemption="full")
    log: Log = []
    start(driver, "deaf", 2, deaf_for(driver, 9 * CPUHP))
    take_down(driver, log)
    driver.env.run(until=3 * CPUHP)
    stopper = driver.cores[1].running
    waiting = driver.k.add_thread("waiting", 1)
    waiting.allowed = 2
    driver.spawn(waiting, busy_for(driver, PIECE))
    driver.env.run(until=8 * CPUHP)
    assert driver.cores[1].running is stopper
    assert stopper is not None
    assert not stopper.need_resched


def test_two_that_want_to_stop_the_machine_do_so_one_after_the_other() -> None:
    driver = machine(1, 1, 1)
    log: Log = []

    def stops(name: str) -> Path[None]:
        yield STOP_MACHINE
        log.append((name, now(driver)))

    start(driver, "a", 0, stops("a"))
    start(driver, "b", 1, stops("b"))
    driver.env.run()
    first = SWITCH + SWITCH + STOP
    assert log == [("a", first), ("b", first + SWITCH + SWITCH + STOP)]


@pytest.mark.slow
def test_a_hart_goes_as_fast_on_a_large_machine_as_on_a_small_one() -> None:
    small, large = (median(held_ns(harts, seed) for seed in (1, 2, 3)) for harts in (16, 128))
    assert large <= 2 * small


def held_ns(harts: int, seed: int) -> int:
    """The time for which cpu_hotplug_lock is held while one of `harts` busy HARTs goes offline."""
    times = {"distribution": "exponential", "mean": "100us"}
    tables: dict[str, object] = {
        "machine": {"harts": [{"count": harts, "guest_files": 7}]},
        "run": {"until": "5ms", "seed": seed},
        "vm": [{"name": "vm", "count": harts // 16, "vcpus": 32, "run": times, "msi": times}],
        "hotplug": [{"hart": 1, "offline": "500us"}],
    }
    scenario = scenario_from(tables)
    sim = simulate(scenario, record="occupancy")
    held = Held(sim.driver)
    sim.k.watch.add(held)
    while held.ns < 0 and sim.env.now < scenario.run.until:
        sim.env.run(until=sim.env.now + 50_000)
    assert held.ns > 0, "it has not gone in time"
    return held.ns


class Held:
    """The time for which a lock was held exclusively, -1 until it is dropped."""

    def __init__(self, driver: TimedDriver) -> None:
        self.driver, self.since_ns, self.ns = driver, 0, -1

    @done(DownWrite)
    def taken(self, who: Runner, op: Op, waited_ns: int) -> None:
        self.since_ns = now(self.driver)

    @done(UpWrite)
    def dropped(self, who: Runner, op: Op, waited_ns: int) -> None:
        self.ns = now(self.driver) - self.since_ns


@pytest.mark.parametrize(
    ("off", "on"), [(PREEMPT_DISABLE, PREEMPT_ENABLE), (LOCAL_IRQ_DISABLE, LOCAL_IRQ_ENABLE)]
)
def test_stop_machine_goes_on_when_a_section_ends(off: Op, on: Op) -> None:
    """Even if what follows on that HART takes long and is not over before."""
    driver = machine(1, 1, preemption="full")
    log: Log = []

    def section() -> Path[None]:
        yield off
        yield from busy_for(driver, 2 * CPUHP)
        yield on
        yield from busy_for(driver, 9 * CPUHP)

    start(driver, "t", 1, section())
    take_down(driver, log)
    driver.env.run()
    ends = SWITCH + 2 * CPUHP + (ENTRY if off == LOCAL_IRQ_DISABLE else 0)
    assert log == [("down", ends + FIND + SWITCH + STOP)]


def test_without_kernel_preemption_the_stopper_waits_until_the_task_schedules() -> None:
    driver = machine(1, 1)
    log: Log = []
    start(driver, "t", 1, busy_for(driver, 9 * CPUHP))
    take_down(driver, log)
    driver.env.run()
    assert log == [("down", SWITCH + 9 * CPUHP + SWITCH + STOP)]


def take_down(driver: TimedDriver, log: Log) -> None:
    """HART 0 goes down from now on; the log has the time at which it is down."""
    cpuhp = driver.k.add_thread("cpuhp/0", 0)

    def down() -> Path[None]:
        yield from driver.k.cpu_down(cpuhp, 0)
        log.append(("down", now(driver)))

    driver.spawn(cpuhp, down(), urgent=True)


def logged(driver: TimedDriver, ns: int, log: Log) -> Path[None]:
    """Work in pieces, between which a task can be preempted."""
    for _ in range(ns // PIECE):
        yield from busy_for(driver, PIECE)
    log.append(("t", now(driver)))


def deaf_for(driver: TimedDriver, ns: int) -> Path[None]:
    yield LOCAL_IRQ_DISABLE
    yield from busy_for(driver, ns)
    yield LOCAL_IRQ_ENABLE


def alternating(driver: TimedDriver, first_ns: int) -> Path[None]:
    """Work with preemption off and on in turn, for ever, after some ns."""
    yield from busy_for(driver, first_ns)
    while True:
        yield PREEMPT_DISABLE
        yield from busy_for(driver, PIECE)
        yield PREEMPT_ENABLE
        yield from busy_for(driver, PIECE)


def test_stop_machine_waits_for_a_hart_in_hardirq() -> None:
    driver = machine(2, 2)
    k = driver.k
    cpuhp = k.add_thread("cpuhp/0", 0)
    driver.spawn(cpuhp, k.cpu_down(cpuhp, 0), urgent=True)
    at(driver, STOPS - 50, raises(driver, 1, 2))
    driver.env.run()
    handled = STOPS - 50 + HANDLER
    assert now(driver) == handled + SWITCH + STOP
    assert driver.cores[1].stolen_ns == HANDLER


def test_an_interrupt_that_comes_while_the_machine_is_stopped_is_handled_after_it() -> None:
    driver = machine(2, 2)
    k = driver.k
    cpuhp = k.add_thread("cpuhp/0", 0)
    driver.spawn(cpuhp, k.cpu_down(cpuhp, 0), urgent=True)
    stopped = STOPS + SWITCH
    at(driver, stopped + 1000, raises(driver, 1, 2))
    driver.env.run()
    assert now(driver) == stopped + STOP + HANDLER
