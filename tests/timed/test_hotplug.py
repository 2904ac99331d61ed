"""A HART goes offline and comes back in simulated time."""

from __future__ import annotations

from itertools import pairwise

import pytest

from hgeisim.drivers.timed.simulation import Simulation
from hgeisim.machine.ops import Path
from hgeisim.runs.timeline import EVENT_NAMES, OFFLINE, ONLINE, RELEASE
from tests.support.timed_machine import (
    COSTS,
    CPUHP,
    ENTRY,
    FIND,
    LOCK,
    STOP,
    SWEEP,
    SWITCH,
    UNLOCK,
    WAKE,
    WAKING,
    Log,
    at,
    busy_for,
    guest,
    injects,
    machine,
    now,
    simulation,
    start,
    work,
)


def blocked_on_one_hart(**hotplug: str) -> Simulation:
    """Three vCPUs that own lines 1 to 3 of HART 0 and wait for an interrupt as it goes offline."""
    names = ("a", "b", "c")
    return simulation(
        machine={"harts": [{"count": 2, "guest_files": 3}]},
        kernel={"variant": "v6.12+percpu-v5"},
        timing={**COSTS, "context_switch": "10us"},
        vcpu=[{"name": name, "hart": 0} for name in names],
        task=[{"name": f"vcpu/{name}", "vcpu": name, "does": ["block"]} for name in names],
        hotplug=[{"hart": 0, "offline": "1s", **hotplug}],
    )


BACK = "5s"
"""When the HART comes online again."""


def events(sim: Simulation, kind: int) -> list[tuple[int, ...]]:
    t = sim.timeline
    columns = t.event_kind, t.event_time_ns, t.event_hart, t.event_vcpu, t.event_line
    return [tuple(rest) for what, *rest in zip(*columns, strict=True) if what == kind]


def test_lines_are_released_in_ascending_order() -> None:
    sim = blocked_on_one_hart(online=BACK)
    sim.run(20 * STOP)
    released = events(sim, RELEASE)
    assert [(hart, vcpu, line) for _, hart, vcpu, line in released] == [
        (0, 1, 1),
        (0, 2, 2),
        (0, 3, 3),
    ]
    assert sim.findings == {}


def test_each_release_takes_a_sweep_and_a_wake_up() -> None:
    """Line by line: drop the lock, sweep, free the line, wake the owner whose line is armed."""
    sim = blocked_on_one_hart(online=BACK)
    sim.driver.costs.by_name["ipi"] = lambda: 0
    sim.run(20 * STOP)
    times = [when for when, *_ in events(sim, RELEASE)]
    release = 5 * FIND + SWEEP  # vsfile_lock, mmu_lock, hfence_lock, extirq_lock, the line
    each = WAKING + LOCK + UNLOCK + release
    assert [b - a for a, b in pairwise(times)] == [each, each]


def test_the_hart_is_back_as_it_was() -> None:
    sim = blocked_on_one_hart(online=BACK)
    sim.run(20 * STOP)
    hart = sim.k.hart[0]
    assert (hart.active, hart.online, hart.sgeie) == (1, 1, 1)
    assert (hart.irq_off, hart.preempt_count, hart.hgeie) == (0, 0, 0)
    assert sim.k.hgei[0].free_bitmap == 0b1110
    assert sim.k.hgei[0].owners.count(0) == len(sim.k.hgei[0].owners)
    assert [sim.timeline.busy_at[cpu] for cpu in (0, 1)] == [0, 0]


def test_offline_and_online_are_recorded_with_their_times() -> None:
    sim = blocked_on_one_hart(online=BACK)
    sim.run(20 * STOP)
    kinds = [EVENT_NAMES[kind] for kind in sim.timeline.event_kind]
    assert [k for k in kinds if k in ("offline", "online", "release")] == [
        "offline",
        *["release"] * 3,
        "online",
    ]


def test_a_blocked_vcpu_whose_hart_goes_away_wakes_on_another() -> None:
    sim = blocked_on_one_hart()
    sim.run(20 * STOP)
    threads = {vcpu.name: vcpu.thread.cpu for vcpu in sim.boot.vcpus.values()}
    assert threads == {"a": 1, "b": 1, "c": 1}
    assert [v.vsfile_cpu for v in sim.boot.vcpus.values()] == [-1, -1, -1]
    assert not sim.k.hart[0].online


def test_an_msi_wakes_a_sleeper_on_a_fallback_hart() -> None:
    """It lost its line with the HART before arming it, so nobody has woken it yet."""
    driver = machine(2, 2, variant="v6.12+percpu-v5")
    k = driver.k
    log: Log = []
    vcpu = guest(driver, "v", 0, SWITCH)

    def path() -> Path[None]:
        yield from k.kvm_vcpu_ioctl_begin(vcpu.thread, vcpu)
        yield from k.vcpu_enter_guest(vcpu.thread, vcpu)
        yield from k.kvm_vcpu_block(vcpu.thread, vcpu)
        log.append((f"awake on {vcpu.thread.cpu}", now(driver)))

    driver.spawn(vcpu.thread, path())
    driver.env.run(4 * SWITCH)
    k.hart[0].hgeie = 0  # so that aia_disable finds nothing armed and wakes nobody
    cpuhp = k.add_thread("cpuhp/0", 0)
    driver.spawn(cpuhp, k.cpu_down(cpuhp, 0), urgent=True)
    driver.env.run(4 * STOP)
    assert (vcpu.thread.cpu, vcpu.wait.waiter, vcpu.vsfile_cpu) == (0, 1, -1)
    at(driver, 4 * STOP, injects(driver, 1, vcpu))
    driver.env.run()
    assert log == [("awake on 1", 4 * STOP + ENTRY + 4 * FIND + WAKE + SWITCH + FIND)]


def test_waiting_tasks_are_pushed_off_and_the_running_one_is_waited_for() -> None:
    driver = machine(1, 1)
    k = driver.k
    long = 50 * SWITCH
    tasks = [start(driver, name, 0, busy_for(driver, long)) for name in ("a", "b", "c")]
    cpuhp = k.add_thread("cpuhp/0", 0)
    driver.env.run(2 * SWITCH)
    driver.spawn(cpuhp, k.cpu_down(cpuhp, 0), urgent=True)
    driver.env.run()
    assert [task.cpu for task in tasks] == [0, 1, 1]
    assert not k.hart[0].online


def test_a_pushed_off_task_goes_on_immediately_where_it_lands() -> None:
    driver = machine(1, 1)
    k = driver.k
    log: Log = []
    start(driver, "a", 0, busy_for(driver, SWITCH))

    def path() -> Path[None]:
        log.append(("b", now(driver)))
        yield from busy_for(driver, 1)

    start(driver, "b", 0, path()).allowed = 1  # an idle HART must not take it
    cpuhp = k.add_thread("cpuhp/0", 0)
    driver.spawn(cpuhp, k.cpu_down(cpuhp, 0), urgent=True)
    driver.env.run()
    pushed = 2 * SWITCH + SWITCH
    assert log == [("b", pushed + SWITCH)], "the rest of hotplug comes later"


@pytest.mark.parametrize("variant", ["v6.12", "v6.12+percpu-v5"])
def test_a_hart_that_is_gone_gets_no_task(variant: str) -> None:
    driver = machine(1, 1, 1, variant=variant)
    k = driver.k
    cpuhp = k.add_thread("cpuhp/1", 1)
    driver.spawn(cpuhp, k.cpu_down(cpuhp, 1), urgent=True)
    driver.env.run()
    tasks = [start(driver, name, 1, busy_for(driver, SWITCH)) for name in "abcd"]
    driver.env.run()
    assert [task.cpu for task in tasks] == [0, 2, 0, 2]


def test_going_down_takes_as_long_as_its_parts() -> None:
    driver = machine(1, 1)
    k = driver.k
    cpuhp = k.add_thread("cpuhp/0", 0)
    driver.spawn(cpuhp, k.cpu_down(cpuhp, 0), urgent=True)
    driver.env.run()
    stopped = SWITCH + CPUHP + 2 * FIND + SWITCH
    assert now(driver) == stopped + STOP, "after the stopper of HART 1 has come"


def test_one_hart_at_a_time_goes_down_and_the_last_one_stays() -> None:
    """HART 0 is asked to go offline while HART 1 is still coming back."""
    times = {"distribution": "constant", "value": "50us"}
    sim = simulation(
        machine={"harts": [{"count": 2, "guest_files": 1}]},
        timing={"cpuhp_state": "300us", "stop_machine": "700us"},
        vm=[{"name": "vm", "vcpus": 3, "run": times, "msi": times}],
        hotplug=[
            {"hart": 1, "offline": "1ms", "online": "1100us"},
            {"hart": 0, "offline": "1200us", "online": "1400us"},
        ],
    )
    for step in range(1, 400):
        sim.run(step * 20_000)
        assert sum(hart.active for hart in sim.k.hart) >= 1
    assert [hart.active for hart in sim.k.hart] == [1, 1]
    assert [EVENT_NAMES[kind] for kind in sim.timeline.event_kind if kind in (OFFLINE, ONLINE)] == [
        "offline",
        "online",
    ] * 2


def test_the_thread_of_a_script_that_takes_its_hart_down_stays_there() -> None:
    """It sleeps on a mutex while its HART is not active."""
    sim = simulation(
        machine={"harts": [{"count": 2, "guest_files": 1}]},
        task=[{"name": "cpuhp/1", "hart": 1, "does": ["offline 1", "online 1"]}],
    )
    k, thread = sim.k, sim.boot.scripts[0].thread
    holder = k.add_thread("holder", 0)

    def hold() -> Path[None]:
        yield k.sparse_irq_lock.lock
        yield work(sim.driver, 5 * CPUHP)
        yield k.sparse_irq_lock.unlock

    sim.driver.spawn(holder, hold())
    sim.run(3 * CPUHP)
    assert not k.hart[1].active
    assert not sim.driver.cores[1].load, "it sleeps"
    sim.run(5 * STOP)
    assert (thread.cpu, k.hart[1].active, k.hart[1].online) == (1, 1, 1)
