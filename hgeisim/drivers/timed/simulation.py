"""One run of a kernel in time, recorded and checked."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from hgeisim.checks.call_chain import PathChains
from hgeisim.checks.finding import Finding, Moment, StepCheck
from hgeisim.checks.guest import GuestLine, HostAlive
from hgeisim.checks.interrupts import NobodyForgotten, SgeiRequested
from hgeisim.checks.lock_order import LockOrder
from hgeisim.checks.locking import IpiWaits, LockInitHeld, SleepingLock
from hgeisim.checks.mode import ModeGranted
from hgeisim.checks.ownership import BitmapAgrees, LineExists
from hgeisim.drivers.stage import Stage, set_stage
from hgeisim.drivers.timed.costs import Costs
from hgeisim.drivers.timed.driver import Observe, TimedDriver
from hgeisim.drivers.timed.environment import LaneEnvironment
from hgeisim.drivers.timed.workload import Workload
from hgeisim.kernel.script import Script
from hgeisim.kernel.structs import HgeiControl
from hgeisim.kernel.variants import find_variant
from hgeisim.machine.guest import EnterGuest, SweepVsFile
from hgeisim.machine.ipi import Ipi
from hgeisim.machine.ops import Op, Path
from hgeisim.machine.rwlock import ReadLock, WriteLock
from hgeisim.machine.shared import Shared
from hgeisim.machine.spinlock import Acquire, InitLock, Release
from hgeisim.machine.task import Runner
from hgeisim.record.locks import LockTable
from hgeisim.record.probes import Probes, probed
from hgeisim.record.timeline import ONLINE, Timeline
from hgeisim.scenario.schema import Scenario
from hgeisim.scenario.streams import Streams

AT_THE_END = (BitmapAgrees(), SgeiRequested(), LineExists(), ModeGranted())
"""The checks that look at the state in which a run ends."""
ON_ITS_WAY_NS = 2_000_000
"""A wake-up that took longer than this, or than half the time, does not come any more."""
SLICES = 200
"""How often progress is told in a run."""


class Simulation:
    """A booted kernel with probes in it, under the timed driver, from time 0 on.

    `env` is an ordinary `simpy.Environment`: add processes as you like, then `run`.  `findings`
    holds each finding once, with the time in ns when it first showed.
    """

    def __init__(
        self,
        stage: Stage,
        costs: Costs,
        preemption: str = "none",
        env: LaneEnvironment | None = None,
    ) -> None:
        self.env = env or LaneEnvironment()
        self.stage, self.k = stage, stage.k
        self.driver = TimedDriver(self.env, stage.k, costs, preemption)
        self.timeline = Timeline(stage.k.topology)
        self.findings: dict[str, tuple[int, Finding]] = {}
        self.asleep_ns: dict[tuple[int, int], int] = {}
        self.control: dict[Shared, HgeiControl] = {h.lock: h for h in self.k.hgei}
        self.locks = LockTable(hgctrl.lock for hgctrl in self.k.hgei)
        self.lock_order = stage.lock_order or LockOrder(stage.k.realtime, PathChains({}))
        self._connect()

    def _connect(self) -> None:
        """Let recorder and checks look on."""
        assert isinstance(self.k, Probes), "a recorded kernel has probes"
        self.k.tell = self.event
        self.driver.observe = {
            Acquire: [self.acquired],
            Release: [self.released],
            InitLock: [self.lock_made, self._asking(LockInitHeld())],
            EnterGuest: [self.guest_entered],
            SweepVsFile: [self.vsfile_swept],
            Ipi: [self._asking(IpiWaits())],
        }
        if self.k.realtime:
            for lock in (Acquire, ReadLock, WriteLock):
                self.driver.observe.setdefault(lock, []).append(self._asking(SleepingLock()))
        self._watch_locks()
        for hgctrl in self.k.hgei:
            self.occupy(hgctrl)

    def _watch_locks(self) -> None:
        """Show every lock to the validator of lock order, which has seen the boot already."""
        order, chains = self.lock_order, PathChains(self.driver.paths)
        order.chains, order.tell = chains, lambda finding: self.note([finding])
        self.note(order.found)
        for kind, look in order.observers().items():
            self.driver.observe.setdefault(kind, []).append(look)

    def _asking(self, check: StepCheck) -> Observe:
        def look(who: Runner, op: Op) -> None:
            self.note(check.step(self.k, Moment(who, op, who.name)))

        return look

    def run(self, until_ns: int, progress: Callable[[int], None] | None = None) -> None:
        """Simulate up to a time and look at every line that is at rest then.

        `progress` is told the time in ns now and then; nothing else depends on it.
        """
        before_ns = until_ns - min(ON_ITS_WAY_NS, until_ns // 2)
        for stop_ns in self._stops(before_ns, until_ns, progress is not None):
            self.env.run(until=stop_ns)
            if stop_ns in (before_ns, until_ns):
                self._look_for_sleepers()
            if progress is not None:
                progress(stop_ns)
        self.timeline.end_ns = int(self.env.now)
        for op, who in self.driver.parking.waiting():
            self.lock_order.waits(who, op)
        for finding_id in self.lock_order.redundant():
            self.findings.pop(finding_id, None)
        for check in AT_THE_END:
            self.note(check.state(self.k))

    def _stops(self, before_ns: int, until_ns: int, often: bool) -> list[int]:
        """When to look what goes on: at the end, before it, and often for the sake of progress."""
        now_ns = int(self.env.now)
        every_ns = until_ns // SLICES + 2 if often else until_ns
        stops = dict.fromkeys([before_ns, *range(now_ns + 1, until_ns, every_ns), until_ns])
        return sorted(stop_ns for stop_ns in stops if stop_ns > now_ns)

    def _look_for_sleepers(self) -> None:
        """Keep the time since which each vCPU was found asleep that should be awake, and has not
        run; one that was for long is forgotten."""
        now_ns, ran_ns = int(self.env.now), self.driver.scheduler.runtime_ns
        asleep_ns: dict[tuple[int, int], int] = {}
        for vcpu, finding in NobodyForgotten().forgotten(self.k):
            key = vcpu.id, ran_ns.get(vcpu.thread, 0)
            since_ns = asleep_ns[key] = self.asleep_ns.get(key, now_ns)
            if since_ns <= now_ns - min(ON_ITS_WAY_NS, now_ns // 2):
                self.note([finding])
        self.asleep_ns = asleep_ns

    def note(self, findings: Iterable[Finding]) -> None:
        """Keep findings that are new."""
        for finding in findings:
            self.findings.setdefault(finding.id, (int(self.env.now), finding))

    def event(self, kind: int, hart: int, vcpu: int, line: int) -> None:
        """Record what a probe tells; a CPU that comes online has all its lines checked."""
        self.timeline.event(int(self.env.now), kind, hart, vcpu, line)
        if kind == ONLINE:
            self.note(BitmapAgrees().cpu_state(self.k, self.k.hgei[hart]))

    def acquired(self, who: Runner, op: Op) -> None:
        """Record the wait for a lock."""
        assert isinstance(op, Acquire)
        self.locks.acquired(op.lock, int(self.env.now), self.driver.waited_ns)

    def guest_entered(self, who: Runner, op: Op) -> None:
        """Look at the line on which a guest starts to run."""
        self.note(GuestLine().cpu_state(self.k, who.cpu))

    def vsfile_swept(self, who: Runner, op: Op) -> None:
        """Look whether the host is still alive; if not, the run goes on as if it were."""
        if who.hart.trapped:
            self.note(HostAlive().state(self.k))

    def released(self, who: Runner, op: Op) -> None:
        """Record how long a lock was held and how many lines are taken now; compare bitmap and
        owners by number, and line by line when the numbers differ."""
        assert isinstance(op, Release)
        self.locks.released(op.lock, int(self.env.now))
        hgctrl = self.control.get(op.lock)
        if hgctrl is None:
            return
        taken = self.occupy(hgctrl)
        owners = hgctrl.owners
        if taken != len(owners) - owners.count(0) and not op.lock.inside:
            self.note(BitmapAgrees().at_rest(self.k, hgctrl))

    def lock_made(self, who: Runner, op: Op) -> None:
        """Record the lines of a HART whose lock was initialised: they may be new, too."""
        assert isinstance(op, InitLock)
        self.occupy(self.control[op.lock])

    def occupy(self, hgctrl: HgeiControl) -> int:
        """Record how many lines of a HART are taken."""
        provisioned = (2 << self.k.nr_hgei(hgctrl)) - 2
        taken = (provisioned & ~hgctrl.free_bitmap).bit_count()
        self.timeline.occupy(int(self.env.now), hgctrl.cpu, taken)
        return taken


def simulate(scenario: Scenario, env: LaneEnvironment | None = None) -> Simulation:
    """Bring a scenario to time 0, in an environment of its own by default; `run` does the rest."""
    streams = Streams(scenario.run.seed)
    stage = set_stage(scenario, kernel=probed(find_variant(scenario.kernel.variant)))
    costs = Costs(scenario.timing, streams)
    simulation = Simulation(stage, costs, scenario.kernel.preemption, env)
    Workload(simulation.driver, streams).start(scenario)
    for script in stage.scripts:
        hotplug = any(verb in ("offline", "online") for verb, _, _ in script.commands)
        simulation.driver.spawn(script.thread, _acted(simulation.driver, script), hotplug)
    return simulation


def _acted(driver: TimedDriver, script: Script) -> Path[None]:
    """The path of a script; the scheduler is told of each vCPU that is to move."""
    for i, (verb, cpu, vcpu) in enumerate(script.commands):
        yield from script.command(i)
        if verb == "move" and vcpu is not None:
            driver.scheduler.move(vcpu.thread, cpu)
