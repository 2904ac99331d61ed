"""One run of a kernel in time, recorded and checked."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from hgeisim.checks.finding import Finding, Moment, StepCheck
from hgeisim.checks.guest import GuestLine, HostAlive
from hgeisim.checks.locking import LockInitHeld
from hgeisim.checks.ownership import BitmapAgrees
from hgeisim.drivers.stage import Stage, set_stage
from hgeisim.drivers.timed.costs import Costs
from hgeisim.drivers.timed.driver import Observe, TimedDriver
from hgeisim.drivers.timed.environment import LaneEnvironment
from hgeisim.drivers.timed.workload import Workload
from hgeisim.kernel.state import HgeiControl
from hgeisim.kernel.variants import find_variant
from hgeisim.machine.ops import Acquire, EnterGuest, InitLock, Op, Release, SweepVsFile
from hgeisim.machine.task import Runner
from hgeisim.record.locks import LockTable
from hgeisim.record.probes import Probes, probed
from hgeisim.record.timeline import ONLINE, Timeline
from hgeisim.scenario.schema import Scenario
from hgeisim.scenario.streams import Streams

SLICES = 200
"""How often progress is told in a run."""


class Simulation:
    """A booted kernel with probes in it, under the timed driver, from time 0 on.

    `env` is an ordinary `simpy.Environment`: add processes as you like, then `run`.  `findings`
    holds each finding once, with the time in ns when it first showed.
    """

    def __init__(self, stage: Stage, costs: Costs, env: LaneEnvironment | None = None) -> None:
        self.env = env or LaneEnvironment()
        self.stage, self.k = stage, stage.k
        self.driver = TimedDriver(self.env, stage.k, costs)
        self.timeline = Timeline(stage.k.topology)
        self.findings: dict[str, tuple[int, Finding]] = {}
        self.control = {hgctrl.lock: hgctrl for hgctrl in self.k.hgei}
        self.locks = LockTable(self.control)
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
        }
        for hgctrl in self.k.hgei:
            self.occupy(hgctrl)

    def _asking(self, check: StepCheck) -> Observe:
        def look(who: Runner, op: Op) -> None:
            self.note(check.step(self.k, Moment(who, op, who.name)))

        return look

    def run(self, until_ns: int, progress: Callable[[int], None] | None = None) -> None:
        """Simulate up to a time and look at every line that is at rest then.

        `progress` is told the time in ns now and then; nothing else depends on it.
        """
        if progress is not None:
            for stop_ns in range(int(self.env.now) + 1, until_ns, until_ns // SLICES + 1):
                self.env.run(until=stop_ns)
                progress(stop_ns)
        self.env.run(until=until_ns)
        self.timeline.end_ns = int(self.env.now)
        self.note(BitmapAgrees().state(self.k))

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
        hgctrl = self.control[op.lock]
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
    simulation = Simulation(stage, Costs(scenario.timing, streams), env)
    Workload(simulation.driver, streams).start(scenario)
    for script in stage.scripts:
        simulation.driver.spawn(script.thread, script.path())
    return simulation
