"""One run of a scenario in time, recorded and checked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import simpy

from hgeisim.checks.finding import Finding, Moment, StepCheck
from hgeisim.checks.guest import GuestLine
from hgeisim.checks.locking import LockInitHeld
from hgeisim.checks.ownership import BitmapAgrees
from hgeisim.drivers.stage import Stage, set_stage
from hgeisim.drivers.timed.costs import Costs
from hgeisim.drivers.timed.driver import TimedDriver
from hgeisim.drivers.timed.workload import Workload
from hgeisim.kernel.variants import find_variant
from hgeisim.machine.ops import Acquire, InitLock, Op, Release, Spend
from hgeisim.machine.task import Runner
from hgeisim.record.locks import LockTable
from hgeisim.record.probes import probed
from hgeisim.record.timeline import Timeline
from hgeisim.scenario.schema import Scenario
from hgeisim.scenario.streams import Streams


@dataclass
class Simulation:
    """A kernel in time, recorded and checked.

    `env` is an ordinary `simpy.Environment`: add processes as you like, then `run`.  `findings`
    holds each finding once, with the time in ns when it first showed.
    """

    env: simpy.Environment
    stage: Stage
    driver: TimedDriver
    timeline: Timeline
    locks: LockTable = field(default_factory=LockTable)
    findings: dict[str, tuple[int, Finding]] = field(default_factory=dict)

    def run(self, until_ns: int) -> None:
        """Simulate up to a time."""
        self.env.run(until=until_ns)
        self.timeline.end_ns = int(self.env.now)

    def note(self, findings: Iterable[Finding]) -> None:
        """Keep findings that are new."""
        for finding in findings:
            self.findings.setdefault(finding.id, (int(self.env.now), finding))

    def acquired(self, who: Runner, op: Op) -> None:
        """Record the wait for a lock."""
        assert isinstance(op, Acquire)
        self.locks.acquired(op.lock.name, int(self.env.now), self.driver.waited_ns)

    def released(self, who: Runner, op: Op) -> None:
        """Record how long a lock was held."""
        assert isinstance(op, Release)
        self.locks.released(op.lock.name, int(self.env.now))

    def record(self, who: Runner, op: Op) -> None:
        """Look at the lines of the HART whose lock was released or made."""
        assert isinstance(op, Release | InitLock)
        for cpu, hgctrl in enumerate(self.stage.k.hgei):
            if hgctrl.lock is op.lock:
                self.occupy(cpu)
                if self.stage.k.per_cpu[cpu].virtualization_enabled and not hgctrl.lock.inside:
                    self.note(BitmapAgrees().cpu_state(self.stage.k, hgctrl))

    def occupy(self, cpu: int) -> None:
        """Record how many lines of a HART are taken."""
        k = self.stage.k
        provisioned = (2 << k.nr_hgei(k.hgei[cpu])) - 2
        taken = provisioned & ~k.hgei[cpu].free_bitmap
        self.timeline.occupy(int(self.env.now), cpu, taken.bit_count())


def simulate(scenario: Scenario) -> Simulation:
    """Bring a scenario to time 0; `run` does the rest."""
    streams = Streams(scenario.run.seed)
    stage = set_stage(scenario, kernel=probed(find_variant(scenario.kernel.variant)))
    simulation = assemble(stage, Costs(scenario.timing, streams))
    Workload(simulation.driver, streams).start(scenario)
    for script in stage.scripts:
        simulation.driver.spawn(script.thread, script.path())
    return simulation


def assemble(stage: Stage, costs: Costs) -> Simulation:
    """Put a booted kernel, with probes in it, under the timed driver."""
    env = simpy.Environment()
    driver = TimedDriver(env, stage.k, costs)
    simulation = Simulation(env, stage, driver, Timeline(stage.k.topology))
    _connect(simulation)
    return simulation


def _connect(simulation: Simulation) -> None:
    """Let recorder and checks look on."""
    timeline, env = simulation.timeline, simulation.env
    for cpu in range(len(simulation.stage.k.hart)):
        simulation.occupy(cpu)
    simulation.stage.k.tell = lambda *what: timeline.event(int(env.now), *what)  # type: ignore[attr-defined]
    observe = simulation.driver.observe
    observe[Acquire] = [simulation.acquired]
    observe[Release] = [simulation.released, simulation.record]
    observe[InitLock] = [simulation.record]
    _watch(simulation, InitLock, LockInitHeld())
    _watch(simulation, Spend, GuestLine())


def _watch(simulation: Simulation, op_type: type[Op], check: StepCheck) -> None:
    def look(who: Runner, op: Op) -> None:
        simulation.note(check.step(simulation.stage.k, Moment(who, op, who.name)))

    seen = simulation.driver.observe.get(op_type, [])
    simulation.driver.observe[op_type] = [*seen, look]
