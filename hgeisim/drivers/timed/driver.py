"""The timed driver: it executes kernel paths in simulated time."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import Any

from hgeisim.drivers.timed.completion import COMPLETIONS, LOOK_NS, spend, take_pending_now
from hgeisim.drivers.timed.costs import Costs, Draw
from hgeisim.drivers.timed.cpu import Core, RunningGuest
from hgeisim.drivers.timed.environment import Lane, LaneEnvironment, LaneGenerator
from hgeisim.drivers.timed.interrupts import Handler, Interrupts
from hgeisim.drivers.timed.own_patch import PatchFollower, preempt_schedule
from hgeisim.drivers.timed.scheduler import Scheduler
from hgeisim.drivers.timed.stoppers import Stoppers
from hgeisim.drivers.timed.wait_queues import ANY_HART, WaitQueues, Waits, channel_of
from hgeisim.errors import ModelError
from hgeisim.kernel.main import Module
from hgeisim.machine.guest import RunGuest
from hgeisim.machine.ipi import Ipi, SendReschedule
from hgeisim.machine.ops import Op, Path, Spend, Step, Try, WarnOn, resumed
from hgeisim.machine.schedule import (
    PREEMPTIBLE,
    PushOff,
    RunOn,
    Schedule,
    SelectRq,
    StopMachine,
    Task,
)
from hgeisim.machine.task import Runner

ANSWERING = (Try, WarnOn)
"""Operations that return an answer to their path."""


class TimedDriver:
    """Runs contexts of a kernel as lanes of a SimPy environment, in integer ns.

    An operation waits until it is ready, then spends its cost, then has its effect.  A task's time
    advances only while it has its HART and no hardirq runs there; the time of handlers is added.
    Between the moment at which a task is no longer `on_cpu` and the moment at which it gives up its
    HART, nothing interrupts it.
    The kernel's `watch` is shown each operation, and for how many ns it was not ready.  The hot
    operations are completed in completion.py, all others here.  `patch_follower` follows a user's
    own patch.
    """

    def __init__(
        self, env: LaneEnvironment, k: Module, costs: Costs, preemption: str = "none"
    ) -> None:
        self.env, self.k, self.costs = env, k, costs
        self.preemptible_kernel = preemption in PREEMPTIBLE
        self.cores = [Core(hart, rq) for hart, rq in zip(k.hart, k.rq, strict=True)]
        self.wait_queues = WaitQueues()
        self.interrupts = Interrupts(self)
        self.scheduler = Scheduler(env, k, self.cores, self.interrupts.reschedule)
        self.stoppers = Stoppers(self)
        self.done, self.paths = k.watch.done, k.watch.paths
        self.waits = Waits(self.paths)
        self.lock_ns, self.lock_cost = self._cost("raw_spin_lock")
        self.unlock_ns, self.unlock_cost = self._cost("raw_spin_unlock")
        # What the paths of a fused kernel yield beside operations.
        self.times = (int, type(None)) if getattr(k, "yields_ns", False) else ()
        self.patch_follower: PatchFollower | None = None
        self._guests: dict[Runner, RunningGuest] = {}
        self._preempted: set[Task] = set()
        k.clock.driver = self

    def _cost(self, name: str) -> tuple[int, Draw]:
        """The constant cost of an operation, and how to draw the cost where that is 0."""
        return self.costs.constant(name), self.costs.by_name[name]

    def spawn(self, who: Task, path: Path[Any], urgent: int = 0) -> Lane:
        """Start a task, which first queues for its HART.  An urgent one is a kernel thread: it is
        bound to its HART, and goes to the head of the queue."""
        return self.env.lane(self._task(who, path, urgent))

    def spawn_idle(self, who: Task, paths: Iterable[Path[Any]]) -> Lane:
        """Start the idle task of a HART, which has it only while no other task does, and takes each
        of its paths in one go."""
        return self.env.lane(self._idle_task(who, paths))

    def _idle_task(self, who: Task, paths: Iterable[Path[Any]]) -> LaneGenerator:
        who.on_rq = who.on_cpu = 0
        core = self.cores[who.cpu]
        for path in paths:
            yield LOOK_NS
            while not core.idle:
                yield LOOK_NS
            core.take(who, int(self.env.now))
            yield from self.execute(who, path)
            who.on_cpu = 0
            self.scheduler.end(who)

    def interrupt(self, cpu: int, handler: Handler) -> None:
        """Interrupt a HART, as a device does."""
        self.interrupts.device(cpu, handler)

    def _task(self, who: Task, path: Path[Any], urgent: int) -> LaneGenerator:
        who.on_rq, who.on_cpu = 1, 0
        yield from self._come_in(who, urgent)
        yield from self.execute(who, path)
        who.on_rq = who.on_cpu = 0
        self._guests.pop(who, None)
        self.scheduler.end(who)

    def _come_in(self, who: Task, urgent: int = 0) -> LaneGenerator:
        """Queue for a HART, which then switches to the task."""
        yield from self.scheduler.enter(who, urgent)
        who.on_cpu = 1
        yield from self._switch_to(who)
        yield from self._notify(who, self.k.kvm_sched_in)

    def _notify(self, who: Task, notifier: Callable[[Any], Path[None]]) -> LaneGenerator:
        """Call a preempt notifier of KVM for a switch that no path makes, with preemption off."""
        if who not in self.k.vcpu_of:
            return
        who.hart.preempt_count += 1
        yield from self.execute(who, notifier(who))
        who.hart.preempt_count -= 1
        self.wait_queues.unpark(ANY_HART)

    def execute(self, who: Runner, path: Path[Any]) -> LaneGenerator:
        """Complete the operations of a path one after the other; a fused path completes most of
        them itself and yields ns."""
        below, self.paths[who] = self.paths.get(who, path), path
        self.env.active_lane.who = who
        op: Any
        times = self.times
        source = self.patch_follower.follow(who, path) if self.patch_follower else path
        for op in source:
            if op.__class__ in times:
                yield op
            elif op.__class__ is not Step:
                yield from self.complete(who, op)
                if op.__class__ in ANSWERING:
                    yield from self._answer(who, source, op)
        self.paths[who] = below

    def _answer(self, who: Runner, path: Path[Any], op: Op) -> LaneGenerator:
        """Resume a path with the answer that it waits for, and complete its next operation."""
        following: Any = resumed(path, op, who)
        if following.__class__ in self.times:
            yield following
        elif following is not None and following.__class__ is not Step:
            yield from self.complete(who, following)
            if following.__class__ in ANSWERING:
                yield from self._answer(who, path, following)

    def give_way(self, who: Any, core: Core) -> LaneGenerator:
        """Let others run between two operations of a task: a pending hardirq first, and then, if
        the kernel is preemptible here, another task (preempt_schedule itself is not preempted)."""
        if who.on_cpu:
            self.interrupts.poll(core)
            if core.busy:
                yield from self.wait_for_handler(core)
            while self._preemptible(who):
                self._preempted.add(who)
                k = self.k
                # A user's patch may return from preempt_schedule while the HART is still wanted.
                path = preempt_schedule(k, who) if self.patch_follower else k.preempt_schedule(who)
                yield from self.execute(who, path)
                self._preempted.discard(who)

    def _preemptible(self, who: Task) -> bool:
        """Whether a task is asked to leave its HART, and may be preempted here."""
        hart = who.hart
        off = hart.irq_off or hart.preempt_count or who in self._preempted
        return bool(who.need_resched and self.preemptible_kernel and not off)

    def complete(self, who: Any, op: Op) -> LaneGenerator:
        """Complete any operation."""
        completion = COMPLETIONS.get(op.__class__)
        if completion is not None and not op.voluntary:
            yield from completion(self, who, op, op.__class__)
            return
        if op.scheduling or type(op) is RunOn:
            yield from self._schedule(who, op)
            self.k.watch.show(who, op)
        elif type(op) is StopMachine:
            yield from self.stoppers.stop(who, op)
            self.k.watch.show(who, op)
            return  # the caller goes on before anything else does
        else:
            yield from self._perform(who, op)
        yield from take_pending_now(self, who)

    def _perform(self, who: Runner, op: Op) -> LaneGenerator:
        """Complete an operation that changes the machine, and may have to wait for that."""
        kind = type(op)
        op.begin(who)
        if kind is Ipi:
            self.interrupts.send(who, op)  # type: ignore[arg-type]
        elif op.cost:
            yield from spend(self, who, self.costs.by_name[op.cost]())
        waited_ns = 0 if op.ready(who) else (yield from self.wait(who, op))
        op.end(who)
        self.k.watch.show(who, op, waited_ns)
        if kind is SendReschedule:
            self.env.lane(self.interrupts.send_reschedule(op.cpu))  # type: ignore[attr-defined]
        if self.wait_queues.parked:
            self.wait_queues.unpark(channel_of(who, op))

    def wait(self, who: Any, op: Op) -> Generator[int | None, None, int]:
        """Wait until an operation is ready; returns how many ns that took.

        A task that waits at a voluntary operation gives up its HART, and another task may take what
        it waited for before it is back.
        """
        asked_ns = int(self.env.now)
        below = self.waits.begin(who, op, asked_ns)
        if who.id and op.voluntary and not who.hart.irq_off:
            while not op.ready(who):
                yield from self._sleep(who, op)
        else:
            yield from self.until_ready(who, op, self.cores[who.cpu] if who.id else None)
        self.waits.end(who, below)
        return int(self.env.now) - asked_ns

    def _sleep(self, who: Any, op: Op) -> LaneGenerator:
        """Give the HART up until an operation may be ready.

        With preemption off this is a bug, which a check reports.  The kernel schedules nevertheless
        (__schedule_bug), and the task finds preemption off again, here on the same HART.
        """
        yield from self._notify(who, self.k.kvm_sched_out)
        hart, depth = who.hart, who.hart.preempt_count
        stays = depth > 0 and who not in self.scheduler.bound
        hart.preempt_count = 0
        self.scheduler.leave(who)
        self.wait_queues.unpark(ANY_HART)
        yield from self.until_ready(who, op, None)
        yield from self._come_in(who, urgent=stays)
        if stays:
            del self.scheduler.bound[who]
        hart.preempt_count += depth

    def until_ready(self, who: Runner, op: Op, spins_on: Core | None) -> LaneGenerator:
        """Wait, with or without a HART.  A spinning task makes progress, or notices that it may go
        on, only while no hardirq runs on top of it; its progress may let others go on."""
        channel = channel_of(who, op)
        while True:
            if spins_on is not None and spins_on.busy:
                yield from self.wait_for_handler(spins_on)
            elif op.ready(who):
                return
            elif not op.can_go_on(who):
                self.wait_queues.park(channel, op, who, self.env.active_lane)
                yield None
            elif op.proceed(who):
                self.wait_queues.unpark(channel)

    def _schedule(self, who: Any, op: Op) -> LaneGenerator:
        """Complete an operation that decides which task runs where."""
        if isinstance(op, SelectRq):
            while self.cores[op.task.cpu].running is op.task:
                self.wait_queues.park(op.task, op, who, self.env.active_lane)
                yield None
            self.scheduler.select_rq(op.task)
        elif isinstance(op, PushOff):
            yield from self.wait(who, op)
            self.scheduler.push_off(op.cpu)
        elif isinstance(op, RunOn):
            self._give_up(who)
            op.end(who)
            yield from self._come_in(who, urgent=True)
        else:
            if not isinstance(op, Schedule):
                raise ModelError(f"{op} does not belong to the scheduler")
            yield from self._switch(who, op)

    def _switch(self, who: Any, op: Schedule) -> LaneGenerator:
        """Give the HART to another task until this one is runnable again and has a HART."""
        below = self.waits.begin(who, op, int(self.env.now))
        self._give_up(who)
        while not op.ready(who):
            channel = ANY_HART if who.on_rq else who
            self.wait_queues.park(channel, op, who, self.env.active_lane)
            yield None
        yield from self.scheduler.enter(who)
        self.waits.end(who, below)
        op.end(who)
        yield from self._switch_to(who)

    def _switch_to(self, who: Task) -> LaneGenerator:
        yield from spend(self, who, self.costs.by_name["context_switch"]())
        self.scheduler.switched(who)

    def _give_up(self, who: Task) -> None:
        core = self.cores[who.cpu]
        self.interrupts.poll(core)
        self.scheduler.leave(who)
        self.wait_queues.unpark(who)

    def make_up(self, core: Core, ns: int, start_ns: float, stolen_ns: int) -> LaneGenerator:
        """Spend the time that handlers have taken from a task since `start_ns`, when it began to
        spend `ns`."""
        while True:
            if core.busy:
                yield from self.wait_for_handler(core)
            ns += core.stolen_ns - stolen_ns - int(self.env.now - start_ns)
            if ns <= 0:
                return
            start_ns, stolen_ns = self.env.now, core.stolen_ns
            yield ns

    def wait_for_handler(self, core: Core) -> LaneGenerator:
        """Wait until no hardirq runs on a HART."""
        while core.busy:
            core.held_up.append(self.env.active_lane)
            yield None

    def guest_of(self, who: Runner, op: RunGuest) -> RunningGuest:
        """The guest of a thread: it continues the stretch that an exit cut, or begins a new one."""
        guest = self._guests.get(who)
        if guest is None:
            guest = self._guests[who] = RunningGuest(self.env, Spend("guest_run", op.name))
        if guest.left_ns is None:
            guest.left_ns = self.costs.of(guest.stretch)
        return guest
