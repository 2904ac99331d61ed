"""Whatever happens to a machine, no task is lost, no HART idles while a task waits for it, and
what is turned off is turned on again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hgeisim.drivers.timed.environment import Lane, LaneEnvironment
from hgeisim.drivers.timed.scheduler import MIGRATION_COST_NS
from hgeisim.drivers.timed.simulation import Simulation, simulate
from hgeisim.machine.ops import Path
from hgeisim.machine.schedule import Task
from hgeisim.runs.fingerprint import fingerprint
from hgeisim.runs.tables import texts_of
from hgeisim.scenario.load import scenario_from
from tests.support.stock_environment import StockEnvironment

US, MS = 1_000, 1_000_000
VARIANTS = ("v6.12", "v6.16", "v7.0", "v6.12+percpu-v2", "v7.0+percpu-v5")
HEALTHY = ("v6.12", "v6.16", "v7.0", "v7.0+percpu-v5")
"""Those in which no lock is initialised while others use it."""
GONE_MS, END_MS = 4, 30
"""When all VMs are destroyed, and by when they are surely gone."""


def times(low_us: int, high_us: int) -> st.SearchStrategy[dict[str, str]]:
    mean = st.integers(low_us, high_us)
    return mean.map(lambda us: {"distribution": "exponential", "mean": f"{us}us"})


def vm(number: int) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {
            "name": st.just(f"vm{number}"),
            "vcpus": st.integers(1, 8),
            "mode": st.sampled_from(["auto", "auto", "hwaccel", "emul"]),
            "arrives": st.integers(0, 900).map(lambda us: f"{us}us"),
            "stagger": st.integers(0, 90).map(lambda us: f"{us}us"),
            "run": times(5, 900),
            "msi": times(20, 300),
            "destroyed": st.integers(1000, GONE_MS * 1000).map(lambda us: f"{us}us"),
        }
    )


@st.composite
def scenarios(draw: st.DrawFn, variants: tuple[str, ...] = VARIANTS) -> dict[str, Any]:
    """Draw a machine of 2 to 6 HARTs with 1 to 3 VMs, which are all destroyed at the end."""
    lines = draw(st.lists(st.integers(0, 4), min_size=2, max_size=6))
    variant = draw(st.sampled_from(variants))
    if "percpu-v5" not in variant:
        lines = [lines[0]] * len(lines)  # on unequal HARTs the host panics
    hotplug = draw(st.lists(st.integers(0, len(lines) - 1), max_size=1))
    kernel = {
        "variant": variant,
        "preemption": draw(st.sampled_from(["none", "voluntary", "full", "rt"])),
        "halt_poll_max": draw(st.sampled_from(["0ns", "200us"])),
        "enable_virt_at_load": draw(st.booleans()),
    }
    return {
        "machine": {"harts": [{"guest_files": count} for count in lines]},
        "kernel": kernel,
        "run": {"seed": draw(st.integers(0, 999))},
        "vm": [draw(vm(number)) for number in range(draw(st.integers(1, 3)))],
        "balance": {"every": draw(times(10, 400))},
        "hotplug": [{"hart": h, "offline": "700us", "online": "1600us"} for h in hotplug],
    }


class Watched:
    """A simulation of a scenario, and its tasks with their lanes."""

    def __init__(self, tables: dict[str, Any], env: LaneEnvironment | None = None) -> None:
        self.sim: Simulation = simulate(scenario_from(tables), env)
        self.tasks: list[tuple[Task, Lane]] = []
        driver = self.sim.driver
        self._spawn = driver.spawn
        driver.spawn = self._note  # type: ignore[method-assign]

    def _note(self, who: Task, path: Path[Any], urgent: int = 0) -> Lane:
        lane = self._spawn(who, path, urgent)
        self.tasks.append((who, lane))
        return lane

    def alive(self) -> list[Task]:
        """Tasks whose path has not ended."""
        return [who for who, lane in self.tasks if not lane.triggered]

    def wrong(self) -> list[str]:
        """The statements that are violated at this moment."""
        return [*self._wrong_tasks(), *self._wrong_cores()]

    def _wrong_tasks(self) -> Iterator[str]:
        cores = self.sim.driver.cores
        running = Counter(core.running for core in cores if core.running)
        queued = Counter(waiting.task for core in cores for waiting in core.queue)
        parked = Counter(
            who for entries in self.sim.driver.wait_queues.parked.values() for _, who, _ in entries
        )
        alive = self.alive()
        for who in {**running, **queued}:
            if who not in alive:
                yield f"{who} is dead and on a HART"
        for who in alive:
            places = running[who], queued[who], parked[who]
            if places not in ((1, 0, 0), (1, 0, 1), (0, 1, 0), (0, 0, 1)):
                yield f"{who} runs, waits, is parked {places} times"

    def _wrong_cores(self) -> Iterator[str]:
        now_ns = int(self.sim.env.now)
        cores = self.sim.driver.cores
        able = [
            w.task
            for core in cores
            for w in core.queue
            if w.movable and w.since_ns + MIGRATION_COST_NS < now_ns
        ]
        for core in cores:
            hart, tasks = core.hart, [w.task for w in core.queue]
            tasks += [core.running] if core.running else []
            if core.rq.nr_running != core.load:
                yield f"{hart}: nr_running is {core.rq.nr_running}, load is {core.load}"
            if core.running is None and core.queue and not core.busy:
                yield f"{hart} idles while {core.queue} wait"
            if core.idle and able:
                yield f"{hart} idles while {able} wait elsewhere"
            if any(task.cpu != hart.id for task in tasks):
                yield f"{hart} has {tasks}, and some of these are on another HART"
            if any(w.movable for w in core.queue) and not hart.active:
                yield f"{hart} is not active, and {core.queue} wait there"
            off = hart.irq_off, hart.preempt_count, hart.hardirq
            if (core.running is None and not core.busy and off != (0, 0, 0)) or min(off) < 0:
                yield f"{hart}: irq_off, preempt_count, hardirq are {off}"
            if core.busy != bool(hart.hardirq):
                yield f"{hart}: busy is {core.busy}, hardirq {hart.hardirq}"


def crowd(name: str, vcpus: int, run: str, **more: str) -> dict[str, Any]:
    """A VM whose vCPUs compute very little between interrupts."""
    run_time = {"distribution": "exponential", "mean": run}
    return {"name": name, "vcpus": vcpus, "mode": "auto", "run": run_time, **more}


def every(mean: str) -> dict[str, str]:
    return {"distribution": "exponential", "mean": mean}


CROWDED = {
    "machine": {"harts": [{"guest_files": 2}, {"guest_files": 2}]},
    "kernel": {"variant": "v6.12", "preemption": "rt", "halt_poll_max": "0ns"},
    "run": {"seed": 99},
    "vm": [
        crowd("vm0", 1, "5us", arrives="251us", destroyed="1000us") | {"msi": every("20us")},
        crowd("vm1", 1, "6us", arrives="308us", stagger="1us", destroyed="1004us")
        | {"msi": every("20us")},
        crowd("vm2", 8, "27us", arrives="89us", stagger="9us", destroyed="1000us")
        | {"msi": every("21us")},
    ],
    "balance": {"every": every("10us")},
    "hotplug": [],
}
"""On PREEMPT_RT both HARTs wait, with preemption off, for a lock whose holder was preempted."""


def result(tables: dict[str, Any], env: LaneEnvironment | None = None) -> tuple[str, str, int]:
    """The state that a run leaves behind."""
    sim = simulate(scenario_from(tables), env)
    sim.run(3 * MS)
    return fingerprint(sim.timeline), str(texts_of(sim.tables)), len(sim.timeline.event_time_ns)


@pytest.mark.slow
@settings(max_examples=80)
@given(scenarios(), st.lists(st.integers(1, GONE_MS * MS), min_size=20, max_size=20))
@pytest.mark.proof
def test_everybody_is_somewhere_and_nothing_drifts(
    tables: dict[str, Any], stops: list[int]
) -> None:
    watched = Watched(tables)
    for stop in sorted({*stops}):
        watched.sim.run(stop)
        assert watched.wrong() == []


@pytest.mark.slow
@settings(max_examples=40)
@given(scenarios(HEALTHY))
@example(CROWDED)
def test_in_the_end_nobody_is_left(tables: dict[str, Any]) -> None:
    watched = Watched(tables)
    watched.sim.run(END_MS * MS)
    assert watched.alive() == []
    assert watched.wrong() == []
    assert watched.sim.driver.wait_queues.parked == {}
    assert all(vcpu.freed for vcpu in watched.sim.k.vcpus if vcpu is not None)
    assert watched.sim.timeline.busy_at == [0] * len(watched.sim.k.hgei)
    assert [(h.irq_off, h.preempt_count, h.hardirq) for h in watched.sim.k.hart] == [
        (0, 0, 0)
    ] * len(watched.sim.k.hart)


@pytest.mark.slow
@settings(max_examples=10)
@given(scenarios())
def test_stock_simpy_and_a_second_run_give_the_same(tables: dict[str, Any]) -> None:
    first = result(tables)
    assert result(tables) == first
    assert result(tables, StockEnvironment()) == first
