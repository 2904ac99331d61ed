"""The scheduler decides which task runs where: run queues, slices, wake-up placement, balancing,
affinity, and threads that are bound to their HART.

It is a simplification of Linux's fair class.  A HART runs the task that has run least so far (its
virtual runtime).  While others wait, a task leaves after a slice, and earlier for a woken task that
is behind by more than the granularity.  An idle HART takes over a task that has waited for some
time elsewhere, as newidle_balance and the nohz balancer do.  All figures are assumptions.

A kernel thread that is bound to its HART, such as irq/N or migration/N, is a `HartThread`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any, Protocol, TypeAlias

from hgeisim.drivers.timed.cpu import Core, Waiting
from hgeisim.drivers.timed.environment import Lane, LaneEnvironment, LaneGenerator
from hgeisim.kernel.main import Module
from hgeisim.machine.ops import Path
from hgeisim.machine.schedule import Task

SLICE_NS = 3_000_000
"""sched_base_slice of a machine with 8 or more CPUs (kernel/sched/fair.c, v6.12)."""
GRANULARITY_NS = 1_000_000
"""How far a woken task must be behind to preempt the running one."""
BOUND, STOPPER = 1, 2
"""The urgency of threads that are bound to their HART: of any such thread, and of the stopper,
which comes before every other task and is not preempted (kernel/sched/stop_task.c)."""
MIGRATION_COST_NS = 500_000
"""sysctl_sched_migration_cost: a task that waited less is not taken by an idle HART."""


class Scheduler:
    """Places tasks on cores.

    `interrupt` makes a HART look at need_resched while its interrupts are off or a guest runs
    there.  `bound` has the urgency of kernel threads, `runtime_ns` the virtual runtime of each
    task.
    """

    def __init__(
        self,
        env: LaneEnvironment,
        k: Module,
        cores: Sequence[Core],
        interrupt: Callable[[Core], None],
    ) -> None:
        self.env, self.k, self.cores, self.interrupt = env, k, cores, interrupt
        self.bound: dict[Task, int] = {}
        self.runtime_ns: dict[Task, int] = {}
        self._offering = False
        self._queues: dict[Core, None] = {}

    def move(self, who: Task, cpu: int) -> None:
        """Ask for a task to move (load balancing, affinity): granted immediately if it waits for a
        HART, else when it is switched out or wakes up."""
        who.wanted = cpu + 1
        core = self.cores[who.cpu]
        if core.running is who and cpu != who.cpu:
            self.resched(core)
        waiting = next((w for w in core.queue if w.task is who and w.movable), None)
        if waiting is not None:
            core.remove(waiting)
            self.place(who)
            self._queue(waiting)

    def enter(self, who: Task, urgent: int = 0) -> LaneGenerator:
        """Queue a task until it has a HART; a task that was once urgent is a kernel thread, bound
        to the HART that it is on until its path ends."""
        if urgent:
            self.bound[who] = urgent
        elif who not in self.bound:
            self.place(who)
        now_ns = int(self.env.now)
        self._queue(Waiting(who, self.env.active_lane, now_ns, self._urgency(who)))
        yield None

    def place(self, who: Task) -> None:
        """Choose the HART of a runnable task: the one that a balancer wants, if that is active and
        the task's affinity allows it."""
        cpu = (who.allowed or who.wanted or who.cpu + 1) - 1
        who.wanted = 0
        who.cpu = cpu if self._may_run(who, self.cores[cpu]) else self.fallback(who)

    def select_rq(self, who: Task) -> None:
        """select_task_rq: choose the task's last HART if that is idle, else the next idle one,
        wrapping around (select_idle_cpu), else its last one."""
        if not self._may_run(who, self.cores[who.cpu]):
            who.cpu = self.fallback(who)
        elif self.cores[who.cpu].load and not who.allowed:
            following = chain(self.cores[who.cpu + 1 :], self.cores[: who.cpu])
            idle = (core.hart.id for core in following if core.idle and self._may_run(who, core))
            who.cpu = next(idle, who.cpu)

    def fallback(self, who: Task) -> int:
        """select_fallback_rq: an active CPU that the task's affinity allows, or any active one if
        none is left; here the least loaded, the lowest of equals."""
        active = [core for core in self.cores if core.hart.active]
        able = [core for core in active if self._may_run(who, core)] or active
        return min(able, key=lambda core: (core.load, core.hart.id)).hart.id

    def _may_run(self, who: Task, core: Core) -> bool:
        """Whether a HART accepts tasks, and the task's affinity allows it."""
        return core.hart.active == 1 and who.cpus_mask >> core.hart.id & 1 == 1

    def leave(self, who: Task) -> None:
        """A task gives its HART up, if it has it, and the next one gets it."""
        core = self.cores[who.cpu]
        ran_ns = int(self.env.now) - core.since_ns
        if core.leave(who):
            self.runtime_ns[who] = self.runtime_ns.get(who, 0) + ran_ns
            self.pick(core)

    def end(self, who: Task) -> None:
        """A task has ended."""
        self.leave(who)
        self.bound.pop(who, None)

    def pick(self, core: Core) -> None:
        """Give a HART that is free, and not in a hardirq, to the next task."""
        if core.running is not None or core.busy:
            return
        if not core.queue:
            self._pull(core)
        if core.queue:
            first = min(core.queue, key=lambda w: (-w.urgent, self.runtime_ns[w.task]))
            core.give_to(first, int(self.env.now))

    def switched(self, who: Task) -> None:
        """The context switch to a task is over: its slice begins."""
        core = self.cores[who.cpu]
        core.since_ns, core.switching = int(self.env.now), False
        self._watch_slice(core)

    def push_off(self, cpu: int) -> None:
        """Move the tasks that wait for a HART to other HARTs."""
        for waiting in self.cores[cpu].push_off():
            waiting.task.allowed = 0
            self.place(waiting.task)
            self._queue(waiting)

    def resched(self, core: Core) -> None:
        """resched_curr: ask the running task to leave, unless it is the stopper.  An interrupt
        carries the request, so a guest exits even if the HART was still on its way into the
        guest."""
        running = core.running
        if running is None or self._urgency(running) == STOPPER:
            return
        if not running.need_resched:
            running.need_resched = 1
            if core.guest is not None or (core.hart.irq_off and not core.busy):
                self.interrupt(core)

    def _queue(self, waiting: Waiting) -> None:
        core, who = self.cores[waiting.task.cpu], waiting.task
        self.runtime_ns[who] = self._runtime_beside(core, self.runtime_ns.get(who, 0))
        core.add(waiting)
        self._queues[core] = None
        running = core.running
        if running is not None:
            behind_ns = self._runtime_ns_now(core, running) - self.runtime_ns[who]
            outranks = waiting.urgent > self._urgency(running)
            if outranks or behind_ns > GRANULARITY_NS:
                self.resched(core)
            else:
                self._watch_slice(core)
        self.pick(core)
        if core.queue:
            self._offer()

    def _runtime_beside(self, core: Core, runtime_ns: int) -> int:
        """A task's virtual runtime beside the tasks of a HART: a long sleep or a long time
        elsewhere counts as a slice at most."""
        runtimes_ns = [self.runtime_ns[w.task] for w in core.queue if w.urgent < STOPPER]
        if core.running is not None and self._urgency(core.running) < STOPPER:
            runtimes_ns.append(self._runtime_ns_now(core, core.running))
        least_ns = min(runtimes_ns, default=runtime_ns)
        return min(max(runtime_ns, least_ns - SLICE_NS), least_ns + SLICE_NS)

    def _urgency(self, who: Task) -> int:
        return self.bound.get(who, 0)

    def _runtime_ns_now(self, core: Core, running: Task) -> int:
        return self.runtime_ns.get(running, 0) + int(self.env.now) - core.since_ns

    def _watch_slice(self, core: Core) -> None:
        """While tasks wait, look again at the end of the running task's slice."""
        if core.queue and not (core.watched or core.switching):
            core.watched = True
            self.env.lane(self._end_of_slice(core))

    def _end_of_slice(self, core: Core) -> LaneGenerator:
        while core.queue and core.running is not None and not core.switching:
            left_ns = core.since_ns + SLICE_NS - int(self.env.now)
            if left_ns <= 0:
                self.resched(core)
                break
            yield left_ns
        core.watched = False

    def _pull(self, core: Core) -> None:
        """newidle_balance: take over the task that has waited longest, if it waited long enough."""
        if not core.hart.active or not self._queues:
            return
        latest_ns = int(self.env.now) - MIGRATION_COST_NS
        able = [
            (waiting.since_ns, other.hart.id, waiting)
            for other in self._crowded()
            for waiting in other.queue
            if waiting.since_ns <= latest_ns
            and waiting.movable
            and self._may_run(waiting.task, core)
        ]
        if able:
            _, cpu, waiting = min(able, key=lambda entry: entry[:2])
            self.cores[cpu].remove(waiting)
            waiting.task.cpu = core.hart.id
            core.add(waiting)

    def _crowded(self) -> Iterable[Core]:
        """The cores on which tasks wait."""
        if not all(core.queue for core in self._queues):
            self._queues = {core: None for core in self._queues if core.queue}
        return self._queues

    def _offer(self) -> None:
        """Let idle HARTs look again once a waiting task has waited long enough."""
        if not self._offering:
            self._offering = True
            self.env.lane(self._idle_balance())

    def _idle_balance(self) -> LaneGenerator:
        while (wait_ns := self._next_able()) is not None:
            yield wait_ns
            for core in self.cores:
                if core.idle:
                    self.pick(core)
        self._offering = False

    def _next_able(self) -> int | None:
        """The time in ns until the next waiting task may be taken over, None if all of them may."""
        latest_ns = int(self.env.now) - MIGRATION_COST_NS
        waits_ns = [
            waiting.since_ns - latest_ns
            for core in self._crowded()
            for waiting in core.queue
            if waiting.since_ns > latest_ns and waiting.movable
        ]
        return min(waits_ns, default=None)


Work: TypeAlias = Callable[[Task], Path[None]]


class SpawningDriver(Protocol):
    """The part of the timed driver that starts threads."""

    def spawn(self, who: Task, path: Path[Any], urgent: int = 0) -> Lane:
        """Start a thread."""


class HartThread:
    """A thread that does one piece of work after the other and sleeps in between: it handles the
    interrupts of devices on PREEMPT_RT, or stops its HART for stop_machine."""

    def __init__(self, driver: SpawningDriver, thread: Task, urgent: int = BOUND) -> None:
        self.driver, self.thread, self.urgent = driver, thread, urgent
        self.works: deque[Work] = deque()
        self.awake = False

    def execute(self, work: Work) -> None:
        """Queue a piece of work, and wake the thread up if it sleeps."""
        self.works.append(work)
        if not self.awake:
            self.awake = True
            self.driver.spawn(self.thread, self._path(), self.urgent)

    def _path(self) -> Path[None]:
        while self.works:
            yield from self.works.popleft()(self.thread)
        self.awake = False
