"""Where tasks run in simulated time: idle HARTs take them over, scripts and balancers move them."""

from __future__ import annotations

from functools import partial

from hgeisim.drivers.timed.scheduler import MIGRATION_COST_NS, SLICE_NS
from hgeisim.scenario.timing import Constant
from tests.support.timed_machine import (
    AGAIN,
    ENTRY,
    FIND,
    FIRST_ENTRY,
    IPI,
    SHORT,
    SWEEP,
    Log,
    at,
    busy_for,
    endless,
    guest,
    logged,
    once,
    quick,
    simulation,
    sleeper,
    start,
    stores,
)

MS = 1_000_000
RUN = 5 * MS


def test_an_idle_hart_takes_over_a_task_that_has_waited_for_some_time() -> None:
    driver = quick(2, 2)
    log: Log = []
    start(driver, "a", 0, logged(driver, "a", 5 * MS, log))
    waiting = start(driver, "b", 0, logged(driver, "b", MS, log))
    driver.env.run()
    assert log[0] == ("b", MIGRATION_COST_NS + SHORT + MS)
    assert waiting.cpu == 1


def test_a_hart_that_runs_empty_takes_the_one_that_waited_longest() -> None:
    driver = quick(2, 2)
    log: Log = []
    start(driver, "a", 0, busy_for(driver, 9 * MS))
    start(driver, "x", 1, busy_for(driver, 2 * MS))
    for name, when in (("b", 100_000), ("c", 50_000)):
        at(driver, when, partial(start, driver, name, 0, logged(driver, name, MS, log)))
    driver.env.run()
    empty = SHORT + 2 * MS
    assert log[:2] == [("c", empty + SHORT + MS), ("b", empty + 2 * (SHORT + MS))]


def test_a_hart_that_runs_empty_leaves_a_task_alone_that_has_just_come() -> None:
    """A task that has just come has its cache there; but the idle HART looks again."""
    driver = quick(2, 2)
    log: Log = []
    start(driver, "a", 0, busy_for(driver, 9 * MS))
    start(driver, "x", 1, busy_for(driver, 2 * MS))
    came = 2 * MS - 100_000
    at(driver, came, partial(start, driver, "b", 0, logged(driver, "b", MS, log)))
    driver.env.run()
    assert log == [("b", came + MIGRATION_COST_NS + SHORT + MS)]


def test_a_task_that_may_run_nowhere_else_is_not_taken() -> None:
    driver = quick(2, 2)
    log: Log = []
    start(driver, "a", 0, busy_for(driver, 5 * MS))
    start(driver, "bound", 0, logged(driver, "bound", MS, log)).allowed = 1
    driver.spawn(driver.k.add_thread("kthread", 0), logged(driver, "kthread", MS, log), urgent=True)
    driver.env.run()
    first = SHORT + 5 * MS + SHORT + MS
    assert log == [("kthread", first), ("bound", first + SHORT + MS)]


def test_affinity_keeps_a_task_from_an_idle_hart() -> None:
    driver = quick(2, 2, 2)
    log: Log = []
    start(driver, "a", 0, busy_for(driver, 5 * MS))
    start(driver, "b", 1, busy_for(driver, 2 * MS))
    held = start(driver, "held", 0, logged(driver, "held", MS, log))
    held.cpus_mask = 0b011
    driver.env.run()
    assert held.cpu == 1, "HART 2 was idle all the time"
    assert log == [("held", SHORT + 2 * MS + SHORT + MS)]


def test_a_woken_task_goes_to_the_next_idle_hart_wrapping_around() -> None:
    """select_idle_cpu scans from its last HART on, within its affinity."""
    driver = quick(2, 2, 2, 2)
    start(driver, "a", 2, busy_for(driver, 9 * MS))
    woken = driver.k.add_thread("woken", 2)
    driver.env.run(until=MS)
    for mask, expected in ((0b1111, 3), (0b0111, 0), (0b0110, 1), (0b0100, 2)):
        woken.cpu, woken.cpus_mask = 2, mask
        driver.scheduler.select_rq(woken)
        assert woken.cpu == expected
    woken.cpu, woken.cpus_mask = 3, 0b1111
    driver.scheduler.select_rq(woken)
    assert woken.cpu == 3, "its last HART is idle"


def test_a_script_moves_its_own_thread() -> None:
    sim = simulation(
        machine={"harts": [{"count": 2, "guest_files": 1}]},
        vcpu=[{"name": "v", "hart": 0}],
        task=[{"name": "vcpu/v", "vcpu": "v", "does": ["migrate 1", "run"]}],
    )
    vcpu = sim.boot.vcpus["v"]
    assert (vcpu.thread.cpu, vcpu.vsfile_cpu) == (0, 0)
    sim.run(1000 * MS)
    assert (vcpu.thread.cpu, vcpu.vsfile_cpu, vcpu.cpu) == (1, 1, 1)
    assert vcpu.thread.allowed == 0


def test_a_script_moves_the_vcpu_of_another_thread() -> None:
    """sched_setaffinity of a vCPU whose guest runs, while no task waits for either HART."""
    sim = simulation(
        machine={"harts": [{"count": 2, "guest_files": 1}]},
        vcpu=[{"name": "v", "hart": 0}],
        task=[
            {"name": "vcpu/v", "vcpu": "v", "does": ["run"]},
            {"name": "mover", "hart": 1, "does": ["move v 1"]},
        ],
    )
    vcpu = sim.boot.vcpus["v"]
    run_ns = 200 * MS
    sim.driver.costs.of_owner("guest_run", "v", Constant.model_construct(value=run_ns))
    sim.run(1000 * MS)
    assert (vcpu.thread.cpu, vcpu.vsfile_cpu) == (1, 1)


def test_a_running_guest_that_is_moved_goes_on_elsewhere_with_the_rest() -> None:
    driver = quick(2, 2, variant="v6.12")
    log: Log = []
    vcpu = guest(driver, "v", 0, RUN)
    driver.spawn(vcpu.thread, once(driver, vcpu, log))
    entered = SHORT + FIRST_ENTRY
    at(driver, entered + 1000, lambda: driver.scheduler.move(vcpu.thread, 1))
    driver.env.run()
    ((where, done),) = log
    assert where == "v on 1"
    way = done - entered - RUN
    lines = 2 * SWEEP + IPI + ENTRY + SWEEP
    assert ENTRY + SHORT + lines + AGAIN < way < ENTRY + SHORT + lines + AGAIN + 20 * FIND + ENTRY


def test_a_waiting_task_that_is_moved_goes_immediately() -> None:
    driver = quick(2, 2)
    log: Log = []
    start(driver, "a", 0, busy_for(driver, 5 * MS))
    waiting = start(driver, "b", 0, logged(driver, "b", MS, log))
    at(driver, 1000, lambda: driver.scheduler.move(waiting, 1))
    driver.env.run()
    assert log == [("b", 1000 + SHORT + MS)]


def test_a_sleeper_that_is_moved_goes_when_it_wakes_up() -> None:
    driver = quick(2, 2)
    vcpu = sleeper(driver, "v", 0)
    driver.env.run(2 * MS)
    driver.scheduler.move(vcpu.thread, 1)
    driver.env.run(3 * MS)
    assert vcpu.thread.cpu == 0
    stores(driver, vcpu)()
    driver.env.run(9 * MS)
    assert (vcpu.thread.cpu, vcpu.vsfile_cpu) == (1, 1)


def test_a_move_to_a_hart_that_went_away_ends_on_one_that_is_there() -> None:
    driver = quick(2, 2, 2)
    vcpu = guest(driver, "v", 0, RUN)
    driver.spawn(vcpu.thread, driver.k.preempt_schedule(vcpu.thread))
    driver.scheduler.move(vcpu.thread, 1)
    driver.k.hart[1].active = 0
    driver.env.run()
    assert vcpu.thread.cpu == 0, "the least loaded, the lowest of equals"


def test_a_task_from_elsewhere_does_not_pay_for_its_runtime_there() -> None:
    """The virtual runtimes of two HARTs are independent of each other."""
    driver = quick(2, 2)
    old = endless(driver, "old", 0)
    driver.env.run(200 * SLICE_NS)
    young = endless(driver, "young", 1)
    driver.env.run(201 * SLICE_NS)
    driver.scheduler.move(old.thread, 1)
    before = driver.scheduler.runtime_ns.get(young.thread, 0)
    driver.env.run(221 * SLICE_NS)
    assert driver.scheduler.runtime_ns[young.thread] - before < 14 * SLICE_NS
