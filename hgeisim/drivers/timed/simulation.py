"""One run of a kernel in simulated time, under the workload of its scenario, recorded and checked.

`simulate` brings a scenario to time 0; the `Simulation` that it returns does the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any, Literal, TypeAlias

from hgeisim.checks.catalogue import At, asked, called
from hgeisim.checks.finding import LANDMARKS, Cause, Finding, Moment
from hgeisim.checks.ownership import lines_of
from hgeisim.drivers.boot_scenario import BootedScenario, booted, kernel_of
from hgeisim.drivers.path_failure import FAILURES, crash, has_own_patch, is_of_a_path
from hgeisim.drivers.timed.costs import Costs
from hgeisim.drivers.timed.driver import TimedDriver
from hgeisim.drivers.timed.environment import LaneEnvironment, TimedClock
from hgeisim.drivers.timed.livelock import Livelock
from hgeisim.drivers.timed.own_patch import GuardedAccesses, PatchFollower
from hgeisim.drivers.timed.wait_queues import waits_for_guest
from hgeisim.drivers.timed.workload.closed_load import ClosedLoad
from hgeisim.drivers.timed.workload.host import Host, balance, random_windows, window
from hgeisim.drivers.timed.workload.interrupts import bursts
from hgeisim.drivers.timed.workload.lock_load import start_lock_load
from hgeisim.drivers.timed.workload.quiet import QuietTime
from hgeisim.drivers.timed.workload.vms import arrivals
from hgeisim.kernel.main import Module
from hgeisim.kernel.script import Script
from hgeisim.kernel.variants import find_variant
from hgeisim.lockorder.rules.validator import Validator
from hgeisim.machine.ops import Op, Path, WarnOn
from hgeisim.machine.task import Runner
from hgeisim.machine.watch import functions_of, watched
from hgeisim.runs.occupancy_steps import offline_windows
from hgeisim.runs.tables import Tables
from hgeisim.runs.timeline import Timeline
from hgeisim.scenario.action import VERBS
from hgeisim.scenario.schema import Scenario
from hgeisim.scenario.streams import Streams
from hgeisim.watch.asker import (
    Asker,
    Guests,
    LineCount,
    Requests,
    ask_about_calls,
    ask_after_operations,
)
from hgeisim.watch.call_chain import PathChains
from hgeisim.watch.latencies import Latencies
from hgeisim.watch.line_owners import LineOwners
from hgeisim.watch.lock_order import LockOrder
from hgeisim.watch.lock_uses import LockUses
from hgeisim.watch.moves import Moves
from hgeisim.watch.msis import Books, Sgeis, account
from hgeisim.watch.recorder import Recorder
from hgeisim.watch.vcpu_times import VcpuTimes

TABLES: dict[str, Any] = {
    "owners": LineOwners,
    "spans": Latencies,
    "vcpus": VcpuTimes,
    "locks": LockUses,
}
"""The tables that can be recorded beside the timeline, with the watcher that fills each."""
RECORDED = {"all": (*TABLES,), "latencies": ("spans", "vcpus"), "occupancy": ("vcpus",)}
"""The tables of each way to record; only "all" has lock order."""
ALWAYS = (Recorder, Asker, LineCount, Books, Moves, Requests, Guests, Sgeis, Livelock)
"""The watchers of every run."""
ON_ITS_WAY_NS = 2_000_000
"""A wake-up outstanding for longer than this, or than half the run, counts as lost."""
Record: TypeAlias = Literal["all", "latencies", "occupancy"]
Form: TypeAlias = Callable[[type[Module]], type[Module]]
SLICES = 200
"""How often a run reports its progress."""


class Simulation:
    """A booted kernel under the timed driver, from time 0 on, watched by the recorder, the checks
    and, if asked for, lock order and the watchers that fill the tables.

    `env` is an ordinary `simpy.Environment`: add processes as you like, then `run`.  `findings`
    holds each finding once, with the time in ns when it first showed.  The cause of a finding lists
    only the landmarks that the run has passed, and for lock order the parties.
    """

    def __init__(
        self,
        boot: BootedScenario,
        driver: TimedDriver,
        count: LineCount,
        record: Record = "occupancy",
    ) -> None:
        self.boot, self.k, self.driver, self.env = boot, boot.k, driver, driver.env
        self.timeline = Timeline(boot.k.topology)
        enabled = (cpu.virtualization_enabled for cpu in boot.k.per_cpu)
        self.timeline.off_at_first = [not each for each in enabled]
        self.findings: dict[str, tuple[int, Finding]] = {}
        self.happened: frozenset[str] = frozenset()
        self.asleep_ns: dict[tuple[int, int], int] = {}
        self.quiet: QuietTime | None = None
        self.guests, self.sgeis = Guests(self.k), Sgeis(self.k)
        self.asker, self.moves = Asker(self.k, self.note, count), Moves(self.k, self.note)
        self.recorded = {name: TABLES[name](self.k) for name in RECORDED[record]}
        self.lock_order = boot.lock_order if record == "all" else None
        watch, chains = self.k.watch, PathChains(self.k.watch.paths, type(self.k))
        watch.add(Recorder(self.k, self.timeline), self.asker, self.moves)
        watch.add(Requests(self.k, self.note), self.guests, self.sgeis)
        watch.add(Livelock(self.k, self.note_one))

        def moment(who: Runner, op: Op) -> Moment:
            function = chains.subject(who) if isinstance(op, WarnOn) else who.name
            return Moment(who, op, function, "" if who.id else chains.entry(who))

        ask_after_operations(self.k, watch, self.note, moment)
        ask_about_calls(self.k, self.note)
        for function, word in LANDMARKS.items():
            watch.entered[function].append(partial(self._pass_landmark, word))
        if self.lock_order is not None:
            self.lock_order.chains, self.lock_order.report = chains, self.note_one
            self.note(self.lock_order.found)
            watch.add(self.lock_order)
        watch.add(*self.recorded.values())

    def end_in_quiet(self, quiet: QuietTime) -> None:
        """End the run with a quiet time, in which each vCPU has to take one more interrupt."""
        self.quiet = quiet
        self.k.watch.add(quiet)
        self.env.process(quiet.process())

    def run(self, until_ns: int, progress: Callable[[int], None] | None = None) -> None:
        """Simulate up to a time, and check every line that is at rest then.

        `progress` is called with the time in ns now and then; nothing else depends on it.
        """
        before_ns = until_ns - _long(until_ns)
        try:
            for stop_ns in self._stops(before_ns, until_ns, progress is not None):
                self.env.run(until=stop_ns)
                if stop_ns in (before_ns, until_ns):
                    self._look_for_sleepers()
                if progress is not None:
                    progress(stop_ns)
            self._look_at_the_end()
        except FAILURES as error:
            if not is_of_a_path(self.k, error):
                raise
            stack = self.driver.patch_follower.stack() if self.driver.patch_follower else []
            functions = [frame.f_code.co_name for frame in stack]
            self.note_one(crash(self.k, error, functions, stack))  # the patch ends the run
        self.timeline.end_ns = int(self.env.now)
        self.timeline.usable = list(self._usable_lines())
        self.findings = dict(sorted(self.findings.items(), key=lambda item: item[1][0]))

    def _usable_lines(self) -> Iterator[int]:
        """The lines that the kernel may hand out on each HART; on one that never had HGEI, those
        that are there."""
        never = [(0, self.timeline.last_ns)]
        for cpu, off in enumerate(offline_windows(self.timeline)):
            whole = lines_of(self.k, cpu)
            yield whole if off == never else min(whole, self.k.nr_hgei(self.k.hgei[cpu]))

    def _look_at_the_end(self) -> None:
        """Check the operations and waits that are not over when the run is cut."""
        now_ns = int(self.env.now)
        for since_ns, note in waits_for_guest(self.k, self.driver.waits, now_ns):
            self.note_one(note, since_ns)
        if self.driver.patch_follower is not None:
            for finding, since_ns in self.driver.patch_follower.endless(now_ns - _long(now_ns)):
                self.note_one(finding, since_ns, "it has spun")
        for since_ns, finding in self.quiet.findings() if self.quiet else ():
            self.note_one(finding, since_ns)
        if self.lock_order is not None:
            self._look_at_waits(self.lock_order)
        self.asker.end()
        self.moves.end()

    def _look_at_waits(self, order: LockOrder) -> None:
        """Show the validator the outstanding waits, each in the state in which it began, and drop
        its findings that say less than another one."""
        for who, wait in self.driver.waits:
            order.report = partial(self.note_one, since_ns=wait.since_ns, what="it has waited")
            self.k.watch.show_wait(who, wait.op, wait.irq_off, wait.preempt_count)
        order.report = self.note_one
        for finding_id in order.redundant():
            self.findings.pop(finding_id, None)

    def _stops(self, before_ns: int, until_ns: int, often: bool) -> list[int]:
        """The times at which the run stops to look: before the end, at the end, and often if
        progress is to be reported."""
        now_ns = int(self.env.now)
        every_ns = until_ns // SLICES + 2 if often else until_ns
        stops = dict.fromkeys([before_ns, *range(now_ns + 1, until_ns, every_ns), until_ns])
        return sorted(stop_ns for stop_ns in stops if stop_ns > now_ns)

    def _look_for_sleepers(self) -> None:
        """Note since when each vCPU that should be awake was found asleep without having run in
        between; one that has slept for long is reported as forgotten."""
        now_ns, ran_ns = int(self.env.now), self.driver.scheduler.runtime_ns
        asleep_ns: dict[tuple[int, int], int] = {}
        twice = ((check, vcpu) for check in asked(At.TWICE) for vcpu in check.subjects(self.k))
        for check, vcpu in twice:
            for finding in check.of(self.k, vcpu):
                key = vcpu.id, ran_ns.get(vcpu.thread, 0)
                since_ns = asleep_ns[key] = self.asleep_ns.get(key, now_ns)
                if since_ns <= now_ns - _long(now_ns):
                    wait = self.driver.waits.of(vcpu.thread)
                    asleep_since_ns = wait.since_ns if wait else since_ns
                    self.note_one(finding, asleep_since_ns, "it has slept")
        self.asleep_ns = asleep_ns

    @property
    def tables(self) -> Tables:
        """The tables recorded beside the timeline, up to now."""
        end_ns = self.timeline.end_ns
        made = {name: watcher.table(end_ns) for name, watcher in self.recorded.items()}
        if self.lock_order is not None:  # all is recorded
            made["idle"] = self.recorded["vcpus"].idle_table(end_ns)
        return made

    def msis(self) -> dict[str, Any]:
        """The account of all MSIs up to now, see `hgeisim/watch/msis.py`."""
        return account(self.k, self.moves)

    @property
    def causes(self) -> dict[str, Cause]:
        """The cause of each finding."""
        return {i: finding.cause for i, (_, finding) in self.findings.items()}

    def _pass_landmark(self, landmark: str, *_: object) -> None:
        self.happened |= {landmark}

    def note(self, findings: Iterable[Finding]) -> None:
        """Keep findings that are new."""
        for finding in findings:
            self.note_one(finding)

    def note_one(self, finding: Finding, since_ns: int | None = None, what: str = "") -> None:
        """Keep a finding if it is new; if `since_ns` is given, `what` has lasted since then."""
        if finding.id in self.findings:
            return
        cause = finding.cause.after(self.happened)
        finding, time_ns = replace(finding, cause=cause), int(self.env.now)
        if since_ns is not None:
            text = f"{finding.text}; {what} since {since_ns / 1e6:.3f} ms" if what else finding.text
            finding, time_ns = replace(finding, text=text), since_ns
        self.findings[finding.id] = time_ns, finding


def _long(now_ns: int) -> int:
    """How many ns before the end a wait must have begun to count as endless."""
    return min(ON_ITS_WAY_NS, now_ns // 2)


def as_written(kernel: type[Module]) -> type[Module]:
    """The kernel with its paths as they are: a single run is too short to earn back the cost of
    fusing them."""
    return kernel


def simulate(
    scenario: Scenario,
    env: LaneEnvironment | None = None,
    record: Record = "all",
    validator: Validator | None = None,
    form: Form = as_written,
) -> Simulation:
    """Bring a scenario to time 0, in an environment of its own by default; `run` does the rest.

    `record` is "all", or "occupancy" for the timeline and the times of vCPUs, without lock order,
    which is quicker; the timeline is the same.  A `validator` learns the lock order of this
    scenario in addition to that of others.  `form` is the form in which the paths are executed:
    `fused` gives the same results, and pays if one process runs many scenarios or a long one.
    """
    streams, env = Streams(scenario.run.seed), env or LaneEnvironment()
    tables = [TABLES[name] for name in RECORDED[record]]
    closed = [ClosedLoad] if any(vm.replies for vm in scenario.vm) else []
    watchers = (*ALWAYS, GuardedAccesses, QuietTime, *tables, *closed)
    wanted = functions_of(*watchers) | called() | frozenset(LANDMARKS)
    kernel = watched(form(find_variant(scenario.kernel.variant)), wanted)
    k = kernel_of(scenario, kernel, clock=TimedClock(env))
    count = LineCount(k)
    k.watch.add(count, Books(k))
    boot = booted(scenario, k, validator)
    driver = TimedDriver(env, k, Costs(scenario.timing, streams), scenario.kernel.preemption)
    simulation = Simulation(boot, driver, count, record)
    if has_own_patch(k):
        guarding = GuardedAccesses(k, simulation.note)
        k.watch.add(guarding)
        driver.patch_follower = PatchFollower(k, simulation.note_one, guarding)
    host = start_workload(driver, streams, scenario)
    if closed:
        host.closed_load = ClosedLoad(host)
        k.watch.add(host.closed_load)
    if scenario.run.quiet is not None:
        simulation.end_in_quiet(QuietTime(host, scenario.run.quiet))
    for script in boot.scripts:
        if script.thread in boot.idle:
            driver.spawn_idle(script.thread, map(script.command, range(len(script.commands))))
            continue
        hotplug = any(VERBS[verb].hotplug for verb, _, _ in script.commands)
        driver.spawn(script.thread, _script_path(driver, script), hotplug)
    return simulation


def _script_path(driver: TimedDriver, script: Script) -> Path[None]:
    """The path of a script, which asks the scheduler to move a vCPU after each command that
    does."""
    yield from script.begin()
    for i, (verb, cpu, vcpu) in enumerate(script.commands):
        yield from script.turn(i)
        if VERBS[verb].moves and vcpu is not None:
            driver.scheduler.move(vcpu.thread, cpu)
    yield from script.leave_kernel()


def start_workload(driver: TimedDriver, streams: Streams, scenario: Scenario) -> Host:
    """Start the processes that the [[vm]], [balance], [[hotplug]], [random_hotplug], [[device]] and
    [[lock_load]] tables describe."""
    host = Host(driver, streams, scenario.run)
    for vm in scenario.vm:
        host.env.process(arrivals(host, vm))
    for plan in scenario.hotplug:
        host.env.process(window(host, plan))
    for device in scenario.device:
        host.env.process(bursts(host, device))
    for load in scenario.lock_load:
        start_lock_load(host, load)
    if scenario.balance is not None:
        host.env.process(balance(host, scenario.balance))
    if scenario.random_hotplug is not None:
        planned = {plan.hart for plan in scenario.hotplug}
        rest = [hart.id for hart in host.k.hart if hart.id not in planned]
        harts = scenario.random_hotplug.harts or rest
        host.env.process(random_windows(host, scenario.random_hotplug, harts))
    return host
