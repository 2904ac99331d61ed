"""One run of a kernel in time, recorded and checked."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Any, TypeAlias

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
from hgeisim.drivers.timed.workload.start import start_workload
from hgeisim.errors import ModelError
from hgeisim.kernel.module import Module
from hgeisim.kernel.script import Script
from hgeisim.kernel.structs import HgeiControl, Vm
from hgeisim.kernel.variants import find_variant
from hgeisim.lockorder.validator import Validator
from hgeisim.machine.guest import EnterGuest, SweepVsFile
from hgeisim.machine.ipi import Ipi
from hgeisim.machine.ops import Op, Path
from hgeisim.machine.rwlock import ReadLock, WriteLock
from hgeisim.machine.shared import Shared
from hgeisim.machine.spinlock import Acquire, InitLock, Release
from hgeisim.machine.task import Runner
from hgeisim.record.detail_probes import DetailProbes, with_details
from hgeisim.record.details import Details
from hgeisim.record.observers import Observers
from hgeisim.record.probes import Probes
from hgeisim.record.tables import Tables, tables_of
from hgeisim.record.timeline import ONLINE, Timeline
from hgeisim.scenario.schema import Scenario
from hgeisim.scenario.streams import Streams

AT_THE_END = (BitmapAgrees(), SgeiRequested(), LineExists())
"""The checks that look at the state in which a run ends."""
ON_ITS_WAY_NS = 2_000_000
"""A wake-up that took longer than this, or than half the time, does not come any more."""
Probing: TypeAlias = Callable[[type[Module]], type[Module]]
Form: TypeAlias = Callable[[type[Module]], type[Module]]
SLICES = 200
"""How often progress is told in a run."""


class Simulation:
    """A booted kernel, mostly with probes in it, under the timed driver, from time 0 on.

    `env` is an ordinary `simpy.Environment`: add processes as you like, then `run`.  `findings`
    holds each finding once, with the time in ns when it first showed.  `details` is what is
    recorded beyond the timeline, None for a kernel without `DetailProbes`.
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
        self.trapped: set[int] = set()
        self.details: Details | None = None
        self.lock_order = stage.lock_order
        self._connect()

    def _connect(self) -> None:
        """Let recorder and checks look on."""
        if isinstance(self.k, Probes):
            self._connect_probes(self.k)
        seen: dict[type[Op], list[Observe]] = {
            Release: [self.released],
            InitLock: [self.lock_made, self._asking(LockInitHeld())],
            EnterGuest: [self.guest_entered],
            SweepVsFile: [self.vsfile_swept],
            Ipi: [self._asking(IpiWaits())],
        }
        self.driver.observe.update(seen)
        if self.k.realtime:
            for lock in (Acquire, ReadLock, WriteLock):
                self.driver.observe[lock].append(self._asking(SleepingLock()))
        if self.lock_order is not None:
            self._watch_locks(self.lock_order)
        for hgctrl in self.k.hgei:
            self.occupy(hgctrl)
        if isinstance(self.k, DetailProbes):
            self._connect_details(self.k)

    def _connect_probes(self, k: Probes) -> None:
        """Be told what happens from now on; the VMs of [[vcpu]] tables are there already."""
        k.tell, k.created = self.event, self.vm_created
        for vm in k.vms:
            self.vm_created(vm)

    def _connect_details(self, k: DetailProbes) -> None:
        self.details, k.tell = k.details, self.event_in_detail
        observers = Observers(k, lambda: self.driver.waited_ns)
        for operation, see in observers.by_operation().items():
            self.driver.observe[operation].append(see)

    def _watch_locks(self, order: LockOrder) -> None:
        """Show every lock to the validator of lock order, which has seen the boot already."""
        chains = PathChains(self.driver.paths)
        order.chains, order.tell = chains, self.note_one
        self.note(order.found)
        for kind, look in order.observers().items():
            self.driver.observe[kind].append(look)

    def _asking(self, check: StepCheck) -> Observe:
        chains = PathChains(self.driver.paths)

        def look(who: Runner, op: Op) -> None:
            entry = "" if who.id else chains.entry(who)
            self.note(check.step(self.k, Moment(who, op, who.name, entry)))

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
        if self.lock_order is not None:
            self._look_at_waits(self.lock_order)
        for check in AT_THE_END:
            self.note(check.state(self.k))
        self.findings = dict(sorted(self.findings.items(), key=lambda item: item[1][0]))

    def _look_at_waits(self, order: LockOrder) -> None:
        """Show the validator what is still waited for, each in the state in which that wait began,
        and drop what it told twice."""
        for who, wait in self.driver.waits:
            order.tell = partial(self.note_one, since_ns=wait.since_ns, what="it has waited")
            order.waits(who, wait.op, wait.irq_off, wait.preempt_count)
        order.tell = self.note_one
        for finding_id in order.redundant():
            self.findings.pop(finding_id, None)

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
                wait = self.driver.waits.of(vcpu.thread)
                asleep_since_ns = wait.since_ns if wait else since_ns
                self.note_one(finding, asleep_since_ns, "it has slept")
        self.asleep_ns = asleep_ns

    @property
    def tables(self) -> Tables:
        """The details as tables, up to now; none when none are recorded."""
        return tables_of(self.details, self.timeline.end_ns) if self.details else {}

    def note(self, findings: Iterable[Finding]) -> None:
        """Keep findings that are new."""
        for finding in findings:
            self.note_one(finding)

    def note_one(self, finding: Finding, since_ns: int | None = None, what: str = "") -> None:
        """Keep a finding if it is new; `what` has gone on since a time, until now."""
        if since_ns is None:
            self.findings.setdefault(finding.id, (int(self.env.now), finding))
        else:
            text = f"{finding.text}; {what} since {since_ns / 1e6:.3f} ms"
            self.findings.setdefault(finding.id, (since_ns, replace(finding, text=text)))

    def event(self, kind: int, hart: int, vcpu: int, line: int) -> None:
        """Record what a probe tells; a CPU that comes online has all its lines checked."""
        self.timeline.event(int(self.env.now), kind, hart, vcpu, line)
        if kind == ONLINE:
            self.note(BitmapAgrees().cpu_state(self.k, self.k.hgei[hart]))

    def event_in_detail(self, kind: int, hart: int, vcpu: int, line: int) -> None:
        """Record what a probe tells, also for what becomes of it."""
        if self.details is None:
            raise ModelError("this kernel has no details")
        self.details.asked(kind, vcpu)
        self.event(kind, hart, vcpu, line)

    def vm_created(self, vm: Vm) -> None:
        """Look whether a VM has the AIA mode that was asked for."""
        emptied = self.k.emptied if isinstance(self.k, Probes) else None
        self.note(ModeGranted(emptied).vm_state(self.k, vm))

    def guest_entered(self, who: Runner, op: Op) -> None:
        """Look at the line on which a guest starts to run."""
        self.note(GuestLine().cpu_state(self.k, who.cpu))

    def vsfile_swept(self, who: Runner, op: Op) -> None:
        """Look whether the host is still alive; if not, the run goes on as if it were."""
        if who.hart.trapped and who.cpu not in self.trapped:
            self.trapped.add(who.cpu)
            self.note(HostAlive().state(self.k))

    def released(self, who: Runner, op: Any) -> None:
        """Record how many lines are taken now; compare bitmap and owners by number, and line by
        line when the numbers differ."""
        hgctrl = self.control.get(op.lock)
        if hgctrl is not None:
            taken = self.occupy(hgctrl)
            owners = hgctrl.owners
            if taken != len(owners) - owners.count(0) and not op.lock.inside:
                self.note(BitmapAgrees().at_rest(self.k, hgctrl))

    def lock_made(self, who: Runner, op: Op) -> None:
        """Record the lines of a HART whose lock was initialised: they may be new, too."""
        if not isinstance(op, InitLock):
            raise ModelError(f"{op} initialises no lock")
        self.occupy(self.control[op.lock])

    def occupy(self, hgctrl: HgeiControl) -> int:
        """Record how many lines of a HART are taken."""
        provisioned = (2 << self.k.nr_hgei(hgctrl)) - 2
        taken = (provisioned & ~hgctrl.free_bitmap).bit_count()
        self.timeline.occupy(int(self.env.now), hgctrl.cpu, taken)
        return taken


def as_written(kernel: type[Module]) -> type[Module]:
    """The paths as they are: one run is too short to earn back what fusing them costs."""
    return kernel


def simulate(
    scenario: Scenario,
    env: LaneEnvironment | None = None,
    probes: Probing = with_details,
    validator: Validator | None = None,
    form: Form = as_written,
) -> Simulation:
    """Bring a scenario to time 0, in an environment of its own by default; `run` does the rest.

    `probes` puts probes on its kernel: `with_details` for all that can be recorded, `probed` for
    the timeline alone, without lock order, which is quicker; the timeline is the same.  A
    `validator` learns the lock order of this scenario beside that of others.  `form` is what the
    paths are executed as: `fused` gives the same, and pays where one process runs many scenarios or
    a long one.
    """
    streams = Streams(scenario.run.seed)
    kernel = probes(form(find_variant(scenario.kernel.variant)))
    stage = set_stage(scenario, kernel=kernel, validator=validator)
    if probes is not with_details:
        stage.lock_order = None
    costs = Costs(scenario.timing, streams)
    simulation = Simulation(stage, costs, scenario.kernel.preemption, env)
    start_workload(simulation.driver, streams, scenario)
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
