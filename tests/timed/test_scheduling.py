"""The task that has a HART in simulated time: one at a time, slices, and preemption."""

from __future__ import annotations

import pytest

from hgeisim.drivers.timed.driver import TimedDriver
from hgeisim.drivers.timed.scheduler import GRANULARITY_NS, SLICE_NS
from hgeisim.kernel.structs import Vcpu
from hgeisim.machine.ops import PREEMPT_DISABLE, PREEMPT_ENABLE, Path
from hgeisim.runs.timeline import SGEI
from tests.support.timed_machine import (
    AGAIN,
    ENTRY,
    FIND,
    FIRST_ENTRY,
    SHORT,
    Log,
    busy_for,
    endless,
    guest,
    logged,
    machine,
    now,
    once,
    quick,
    simulation,
    sleeper,
    start,
    stores,
    work,
)

MS = 1_000_000
RUN = 5 * MS


def ran_ms(driver: TimedDriver, vcpu: Vcpu) -> int:
    """The time that a vCPU's thread has had a HART before its last switch, in whole ms."""
    return driver.scheduler.runtime_ns.get(vcpu.thread, 0) // MS


def test_one_hart_runs_one_task_at_a_time() -> None:
    driver = quick(2, 2)
    log: Log = []
    run = 7 * SHORT
    for name in ("a", "b"):
        start(driver, name, 0, logged(driver, name, run, log))
    start(driver, "c", 1, logged(driver, "c", run, log))
    driver.env.run()
    assert sorted(log, key=lambda entry: (entry[1], entry[0])) == [
        ("a", SHORT + run),
        ("c", SHORT + run),
        ("b", 2 * (SHORT + run)),
    ]


def test_two_guests_that_never_wait_share_a_hart_by_slices() -> None:
    driver = quick(2)
    both = [endless(driver, name, 0) for name in ("a", "b")]
    seen = []
    for step in range(1, 9):
        driver.env.run(step * SLICE_NS - MS)
        assert driver.cores[0].running is not None
        seen.append(driver.cores[0].running.name[-1])
    assert "".join(seen) == "abababab"
    driver.env.run(100 * SLICE_NS)
    shares = [ran_ms(driver, vcpu) for vcpu in both]
    assert sum(shares) > 95 * SLICE_NS // MS
    assert abs(shares[0] - shares[1]) <= 2 * SLICE_NS // MS


def test_a_guest_alone_is_not_interrupted_at_the_end_of_its_slice() -> None:
    driver = quick(2)
    endless(driver, "a", 0)
    driver.env.run(100 * SLICE_NS)
    assert driver.cores[0].stolen_ns == 0


def test_a_slice_begins_when_the_switch_is_over() -> None:
    """Otherwise no task would make progress if a switch takes longer than a slice."""
    driver = machine(2)
    switch = driver.costs.by_name["context_switch"]()
    assert switch > SLICE_NS
    both = [endless(driver, name, 0) for name in ("a", "b")]
    driver.env.run(10 * (switch + SLICE_NS))
    assert [ran_ms(driver, vcpu) >= 4 * SLICE_NS // MS for vcpu in both] == [True, True]


@pytest.mark.parametrize(("ran_ns", "at_once"), [(GRANULARITY_NS // 2, False), (5 * MS, True)])
def test_a_woken_task_preempts_one_that_ran_much_longer(ran_ns: int, at_once: bool) -> None:
    driver = quick(2)
    woken = sleeper(driver, "w", 0)
    driver.env.run(2 * MS)
    assert not driver.cores[0].load
    endless(driver, "e", 0)
    driver.env.run(2 * MS + SHORT + ran_ns)
    stores(driver, woken)()
    driver.env.run(int(driver.env.now) + 15_000)
    assert (driver.cores[0].running is woken.thread) is at_once


def test_a_preempted_guest_goes_on_with_the_rest_of_its_stretch() -> None:
    driver = quick(2, variant="v6.12")
    log: Log = []
    vcpu = guest(driver, "v", 0, RUN)
    driver.spawn(vcpu.thread, once(driver, vcpu, log))
    entered = SHORT + FIRST_ENTRY
    driver.env.run(entered + 1000)
    driver.spawn(driver.k.add_thread("urgent", 0), busy_for(driver, 2 * MS), urgent=True)
    driver.env.run()
    away = ENTRY + FIND + (SHORT + 2 * MS) + SHORT + AGAIN
    assert log == [("v on 0", entered + RUN + away)]


def test_a_task_that_is_asked_to_leave_on_its_way_into_the_guest_leaves_immediately() -> None:
    """need_resched is set after the kernel has looked at it for the last time."""
    driver = quick(2, variant="v6.12")
    log: Log = []
    vcpu = guest(driver, "v", 0, RUN)
    driver.spawn(vcpu.thread, once(driver, vcpu, log))
    entered = SHORT + FIRST_ENTRY
    driver.env.run(entered - 1000)
    done: Log = []
    urgent = driver.k.add_thread("urgent", 0)
    driver.spawn(urgent, logged(driver, "urgent", MS, done), urgent=True)
    driver.env.run()
    assert done == [("urgent", entered + ENTRY + FIND + SHORT + MS)]
    assert log == [("v on 0", done[0][1] + SHORT + AGAIN + RUN)], "its stretch was not begun"


@pytest.mark.parametrize(
    ("preemption", "waits"), [("none", 6), ("voluntary", 6), ("full", 2), ("rt", 2)]
)
def test_a_task_in_the_kernel_is_preempted_only_where_the_kernel_is_preemptible(
    preemption: str, waits: int
) -> None:
    """It does six pieces of work; another task wants to preempt it during the second."""
    driver = quick(2, preemption=preemption)
    log: Log = []

    def pieces() -> Path[None]:
        for _ in range(6):
            yield work(driver, MS)

    start(driver, "a", 0, pieces())
    driver.env.run(SHORT + MS + 1000)
    driver.spawn(driver.k.add_thread("b", 0), logged(driver, "b", 0, log), urgent=True)
    driver.env.run()
    switched_out = FIND if waits < 6 else 0
    assert log == [("b", SHORT + waits * MS + switched_out + SHORT)]
    assert driver.k.hart[0].preempt_count == 0


def test_a_section_with_preemption_off_is_not_preempted() -> None:
    driver = quick(2, preemption="full")
    log: Log = []

    def path() -> Path[None]:
        yield PREEMPT_DISABLE
        yield work(driver, MS)
        yield work(driver, MS)
        yield PREEMPT_ENABLE
        yield work(driver, MS)

    start(driver, "a", 0, path())
    driver.env.run(SHORT + 1000)
    driver.spawn(driver.k.add_thread("b", 0), logged(driver, "b", 0, log), urgent=True)
    driver.env.run()
    assert log == [("b", SHORT + 2 * MS + FIND + SHORT)]


def test_a_task_that_is_spawned_again_can_be_preempted_and_goes_on() -> None:
    driver = quick(1, preemption="full")
    log: Log = []
    who = driver.k.add_thread("monitor", 0)

    def pieces() -> Path[None]:
        for _ in range(3):
            yield work(driver, MS)
        log.append(("monitor", now(driver)))

    for turn in (1, 2):
        driver.spawn(who, pieces())
        driver.env.run(int(driver.env.now) + MS)
        urgent = driver.k.add_thread(f"urgent/{turn}", 0)
        driver.spawn(urgent, busy_for(driver, MS), urgent=True)
        driver.env.run()
        assert len(log) == turn


def test_two_urgent_tasks_do_not_preempt_each_other() -> None:
    driver = quick(1, preemption="full")
    log: Log = []
    for name in ("a", "b"):
        who = driver.k.add_thread(name, 0)
        driver.spawn(who, logged(driver, name, MS, log), urgent=True)
    driver.env.run()
    assert log == [("a", SHORT + MS), ("b", 2 * (SHORT + MS))]


@pytest.mark.slow
def test_interrupts_of_guests_leave_nothing_behind_in_the_queue() -> None:
    """A stretch is cut short a hundred thousand times."""
    driver = quick(2, 2)
    vcpus = [endless(driver, f"v{cpu}", cpu) for cpu in (0, 1)]
    driver.env.run(MS)
    longest = 0
    for step in range(1, 50_001):
        driver.env.run(MS + 20_000 * step)
        for core in driver.cores:
            driver.interrupts.reschedule(core)
        if step % 500 == 0:
            longest = max(longest, len(driver.env._queue))
    assert longest <= 3 * len(vcpus)
    assert all(core.stolen_ns == 49_999 * ENTRY for core in driver.cores)


def test_sgeis_of_a_busy_machine_are_many() -> None:
    times = {"distribution": "exponential", "mean": "100us"}
    sim = simulation(
        machine={"harts": [{"count": 2, "guest_files": 4}]},
        timing={},
        vm=[{"name": "vm", "vcpus": 6, "run": times, "msi": times}],
    )
    sim.run(20 * MS)
    assert sim.timeline.event_kind.count(SGEI) > 100
    assert len(sim.env._queue) < 30
