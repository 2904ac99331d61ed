"""Sleeping tasks give up their HART in simulated time, and are woken once.

Halt polling: a vCPU looks for an interrupt for a while before it sleeps.
"""

from __future__ import annotations

from functools import partial

import pytest

from hgeisim.drivers.timed.driver import TimedDriver
from hgeisim.kernel.structs import Vcpu
from hgeisim.machine.mutex import Mutex
from hgeisim.machine.ops import PREEMPT_DISABLE, PREEMPT_ENABLE, Op, Path
from tests.support.timed_machine import (
    FIND,
    POLL,
    SHORT,
    SWITCH,
    Log,
    at,
    busy_for,
    guest,
    logged,
    machine,
    now,
    quick,
    sleeper,
    start,
    stores,
    work,
)

MS = 1_000_000
RUN = 5 * MS


def holding(driver: TimedDriver, lock: Mutex, ns: int) -> Path[None]:
    yield lock.lock
    yield work(driver, ns)
    yield lock.unlock


def wants(driver: TimedDriver, op: Op, name: str, log: Log) -> Path[None]:
    yield op
    log.append((name, now(driver)))


def test_a_task_that_waits_for_a_mutex_gives_up_its_hart_and_is_switched_in_once() -> None:
    driver = quick(1, 1)
    lock = driver.k.kvm_usage_lock
    log: Log = []
    start(driver, "holder", 0, holding(driver, lock, 3 * MS))
    waiter = start(driver, "waiter", 1, wants(driver, lock.lock, "waiter", log))
    driver.env.run(SHORT + 1)
    start(driver, "other", 1, logged(driver, "other", MS, log))
    driver.env.run()
    unlocked = SHORT + 3 * MS
    assert log == [("other", 2 * SHORT + 1 + MS), ("waiter", unlocked + SHORT)]
    assert lock.owner == waiter.id


def test_an_unlock_wakes_the_first_waiter_only() -> None:
    driver = quick(1, 1, 1, 1)
    lock = driver.k.kvm_usage_lock
    names = ("a", "b", "c", "d")
    for cpu, name in enumerate(names):
        at(driver, cpu, partial(start, driver, name, cpu, holding(driver, lock, MS)))
    on_harts = []
    for turn in range(1, 4):
        unlocked = turn * (SHORT + MS)
        driver.env.run(unlocked + SHORT // 2)
        on_harts.append([core.hart.id for core in driver.cores if core.running])
    driver.env.run()
    assert on_harts == [[1], [2], [3]], "nobody else wakes up in vain"
    assert now(driver) == 4 * (SHORT + MS), "each is switched in once more, when it is its turn"


def test_a_task_that_waits_for_srcu_readers_gives_up_its_hart() -> None:
    driver = quick(1, 1)
    srcu = driver.k.add_vm("vm").srcu
    log: Log = []

    def reader() -> Path[None]:
        yield srcu.srcu_read_lock
        yield work(driver, 3 * MS)
        yield srcu.srcu_read_unlock

    start(driver, "reader", 0, reader())
    driver.env.run(1000)
    start(driver, "waiter", 1, wants(driver, srcu.synchronize_srcu, "waiter", log))
    driver.env.run(2000)
    start(driver, "other", 1, logged(driver, "other", MS, log))
    driver.env.run()
    came, ended = 1000 + SHORT, SHORT + 3 * MS
    assert log == [("other", came + SHORT + MS), ("waiter", ended + SHORT)]


def test_a_task_that_waits_with_preemption_off_sleeps_nevertheless() -> None:
    """On PREEMPT_RT: a spinlock_t sleeps, and this task may not; __schedule_bug complains, and the
    HART is given up.  Back on it, preemption is off again."""
    driver = quick(1, 1, preemption="rt")
    lock = driver.k.add_vm("vm").mmu_lock
    log: Log = []

    def holder() -> Path[None]:
        yield lock.lock
        yield work(driver, 3 * MS)
        yield lock.unlock

    def waiter() -> Path[None]:
        yield PREEMPT_DISABLE
        yield lock.lock
        assert driver.k.hart[1].preempt_count == 1
        log.append(("in", now(driver)))
        yield PREEMPT_ENABLE

    start(driver, "holder", 0, holder())
    driver.env.run(1000)
    who = start(driver, "waiter", 1, waiter())
    driver.env.run(MS)
    assert (driver.cores[1].running, driver.k.hart[1].preempt_count) == (None, 0)
    driver.env.run()
    assert log == [("in", SHORT + 10 + 3 * MS + 1 + SHORT)]
    assert (who.cpu, driver.k.hart[1].preempt_count) == (1, 0)
    assert driver.scheduler.bound == {}


def test_a_vcpu_that_sleeps_for_a_lock_is_put_and_loaded() -> None:
    """Its preempt notifiers are called, so it may come back on another HART."""
    driver = quick(1, 1, preemption="rt")
    k = driver.k
    vcpu = guest(driver, "v", 0, RUN)
    lock = vcpu.hfence_lock
    seen: list[tuple[int, int]] = []

    def path() -> Path[None]:
        yield from k.vcpu_load(vcpu.thread, vcpu)
        yield work(driver, MS)
        yield lock.lock
        seen.append((vcpu.cpu, vcpu.thread.cpu))
        yield lock.unlock

    def holder() -> Path[None]:
        yield lock.lock
        yield work(driver, 3 * MS)
        yield lock.unlock

    driver.spawn(vcpu.thread, path())
    start(driver, "holder", 1, holder())
    driver.env.run(2 * MS)
    assert vcpu.cpu == -1
    driver.scheduler.move(vcpu.thread, 1)
    driver.env.run()
    assert seen == [(1, 1)]


def test_a_task_that_wakes_up_while_its_hart_still_leaves_it_runs_elsewhere() -> None:
    """It is no longer on_cpu and has not given up its HART yet; nothing drifts."""
    driver = quick(2, 2, 2, variant="v6.12")
    k = driver.k
    vcpu = sleeper(driver, "v", 0)
    driver.costs.by_name["raw_spin_unlock"] = lambda: 5000
    driver.env.run(SHORT + MS)
    for _ in range(200):
        driver.env.run(int(driver.env.now) + 997)
        if vcpu.thread.state:
            waker = k.add_thread(f"waker/{now(driver)}", 1)
            driver.spawn(waker, k.kvm_vcpu_kick(waker, vcpu))
    vcpu.stop = 1
    waker = k.add_thread("last", 1)
    driver.spawn(waker, k.kvm_vcpu_kick(waker, vcpu))
    driver.env.run()
    assert [(h.irq_off, h.preempt_count, h.hardirq) for h in k.hart] == [(0, 0, 0)] * 3
    assert [rq.nr_running for rq in k.rq] == [0, 0, 0]
    assert driver.wait_queues.parked == {}


MAX_NS = 500_000
GUEST_RUN = 70_000
ROUND = FIND + POLL
"""One look at what is pending, and the pause after it."""


def waiting(driver: TimedDriver, polls_ns: int, log: Log) -> Vcpu:
    """A vCPU that runs its guest once and then halts; `polls_ns` is its first time of polling."""
    driver.k.halt_poll_ns_max = MAX_NS
    vcpu = guest(driver, "v", 0, GUEST_RUN)
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


def test_without_polling_it_sleeps_immediately() -> None:
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
        vcpu = guest(driver, "v", 0, GUEST_RUN)
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
