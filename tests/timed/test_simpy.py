"""SimPy for users: `simulation.env` is an ordinary environment, to which they may add processes."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest
import simpy

from hgeisim.checks.delivery import NobodyForgotten
from hgeisim.drivers.timed.simulation import Simulation, simulate
from hgeisim.kernel.structs import Thread, Vcpu
from hgeisim.machine.ops import Path
from hgeisim.runs.fingerprint import fingerprint
from hgeisim.runs.tables import texts_of
from hgeisim.runs.timeline import SGEI, Timeline
from hgeisim.scenario.load import load_scenario
from tests.support.timed_machine import simulation

Process = Generator[simpy.Event, Any, Any]

VM = {
    "name": "vm",
    "vcpus": 4,
    "run": {"distribution": "exponential", "mean": "20us"},
    "msi": {"distribution": "exponential", "mean": "90us"},
}
FAST = {"context_switch": "2us", "guest_entry": "1us", "ipi": "2us", "vsfile_sweep": "1us"}


def busy(seed: int = 1, **kernel: str) -> Simulation:
    """Four vCPUs on three HARTs with two lines, balanced often."""
    return simulation(
        machine={"harts": [{"count": 3, "guest_files": 2}]},
        kernel={"variant": "v7.0+percpu-v5", **kernel},
        run={"seed": seed},
        vm=[VM],
        balance={"every": {"distribution": "exponential", "mean": "50us"}},
        timing=FAST,
    )


def test_it_is_a_simpy_environment() -> None:
    assert isinstance(busy().env, simpy.Environment)


def test_a_process_of_ones_own_runs_beside_the_kernel() -> None:
    sim = busy()
    seen: list[tuple[int, int]] = []

    def sampler() -> Process:
        while True:
            yield sim.env.timeout(100_000)
            taken = sum(sim.timeline.busy_at)
            seen.append((int(sim.env.now), taken))

    sim.env.process(sampler())
    sim.run(1_000_001)
    assert [when for when, _ in seen] == list(range(100_000, 1_000_001, 100_000))
    assert 0 < max(taken for _, taken in seen) <= 6


def test_looking_on_changes_nothing() -> None:
    plain, watched = busy(), busy()

    def look() -> Process:
        while True:
            yield watched.env.timeout(777)

    watched.env.process(look())
    plain.run(2_000_000)
    watched.run(2_000_000)
    assert fingerprint(plain.timeline) == fingerprint(watched.timeline)


def test_events_resources_and_conditions_work() -> None:
    sim = busy()
    env = sim.env
    log: list[str] = []
    resource, gate = simpy.Resource(env, capacity=1), env.event()

    def first() -> Process:
        with resource.request() as turn:
            yield turn
            yield env.timeout(500)
            gate.succeed("open")

    def second() -> Process:
        either = yield env.any_of([gate, env.timeout(10_000, "late")])
        log.append(f"{next(iter(either.values()))} at {env.now}")
        with resource.request() as turn:
            yield turn & env.timeout(200)
            log.append(f"both at {env.now}")
        return "done"

    env.process(first())
    process = env.process(second())
    sim.run(5_000)
    assert log == ["open at 500", "both at 700"]
    assert process.value == "done"


def test_a_process_may_use_the_kernels_own_paths() -> None:
    sim = busy()
    k = sim.k

    def storm() -> Process:
        """An MSI for every vCPU at the same time."""
        yield sim.env.timeout(300_000)
        vcpus = [vcpu for vcpu in k.vcpus if vcpu is not None]
        storm = k.add_thread("storm", 1)
        yield sim.env.all_of([sim.driver.spawn(storm, to_all(storm, vcpus))])
        return len(vcpus)

    def to_all(current: Thread, vcpus: list[Vcpu]) -> Path[None]:
        for vcpu in vcpus:
            yield from k.kvm_riscv_vcpu_aia_imsic_inject(current, vcpu, 1)

    process = sim.env.process(storm())
    sim.run(400_000)
    assert process.value == 4


def test_a_process_may_wait_for_the_end_of_a_context() -> None:
    sim = busy()
    k = sim.k
    ended: list[int] = []

    def watch() -> Process:
        task = k.add_thread("one more", 1)
        yield sim.driver.spawn(task, k.kvm_riscv_vcpu_aia_imsic_cleanup(task, vcpu_without_line))
        ended.append(int(sim.env.now))

    vcpu_without_line = k.add_vcpu("idle", 0, k.add_vm("idle"))
    sim.env.process(watch())
    sim.run(300_000)
    assert vcpu_without_line.freed
    assert len(ended) == 1


def test_now_is_a_whole_number_of_ns_from_the_first_event_to_the_last() -> None:
    sim = busy()
    kinds: set[type] = set()

    def look() -> Process:
        while True:
            kinds.add(type(sim.env.now))
            yield sim.env.timeout(1_000)

    sim.env.process(look())
    while sim.env.peek() < 300_000:
        sim.env.step()
        kinds.add(type(sim.env.now))
    assert kinds == {int}


@pytest.mark.parametrize("slices", [2, 7, 1000])
def test_a_run_in_slices_is_the_same_run(slices: int) -> None:
    until = 2_000_000
    whole, sliced = busy(), busy()
    whole.run(until)
    for n in range(1, slices + 1):
        sliced.run(until * n // slices)
    assert records(sliced.timeline) == records(whole.timeline)
    assert texts_of(sliced.tables) == texts_of(whole.tables)
    assert {i: now for i, (now, _) in sliced.findings.items()} == {
        i: now for i, (now, _) in whole.findings.items()
    }


def records(timeline: Timeline) -> tuple[str, int]:
    return fingerprint(timeline), len(timeline.event_time_ns)


def test_another_seed_is_another_run() -> None:
    one, two = busy(1), busy(2)
    one.run(1_000_000)
    two.run(1_000_000)
    assert fingerprint(one.timeline) != fingerprint(two.timeline)


def test_no_entries_are_left_behind_in_the_queue() -> None:
    """Everything that waited is woken and gone: there are no more entries than contexts."""
    sim = busy()
    lengths: list[int] = []
    for n in range(1, 41):
        sim.run(n * 500_000)
        lengths.append(len(sim.env._queue))
    assert sim.timeline.event_kind.count(SGEI) > 150, "many SGEIs"
    contexts = len(sim.k.threads) + 2 * len(sim.k.hart) + 2 * 4
    assert max(lengths) <= contexts
    assert sum(map(len, sim.driver.wait_queues.parked.values())) <= contexts


def test_reporting_progress_changes_nothing_and_a_run_may_be_short() -> None:
    """A run of 100 ns has fewer ns than slices."""
    for until in ("100ns", "4ms"):
        scenario = load_scenario("big-little", {"until": until, "variant": "v6.12"})
        plain, reporting = simulate(scenario), simulate(scenario)
        times: list[int] = []
        plain.run(scenario.run.until)
        reporting.run(scenario.run.until, times.append)
        assert times == sorted({*times})
        assert 2 <= len(times) <= 202
        assert fingerprint(plain.timeline) == fingerprint(reporting.timeline)
        assert plain.findings == reporting.findings


def test_a_run_that_ends_within_a_wake_up_has_not_lost_it() -> None:
    """The handler has disarmed the line and not woken the vCPU yet."""
    sim, check, ends = busy(halt_poll_max="0ns"), NobodyForgotten(), 0
    for _ in range(20_000):
        sim.env.step()
        if list(check.state(sim.k)):
            ends += 1
            sim.run(int(sim.env.now) + 1)
            assert "lost-wakeup:vcpu" not in sim.findings
    assert ends > 20


def test_a_vcpu_that_sleeps_on_with_an_interrupt_pending_is_found_at_the_end() -> None:
    for variant, found in (("v6.12", True), ("v6.18", False)):
        scenario = load_scenario("moved-sleeper", {"variant": variant})
        sim = simulate(scenario)
        sim.run(scenario.run.until)
        assert ("lost-wakeup:vcpu" in sim.findings) is found
