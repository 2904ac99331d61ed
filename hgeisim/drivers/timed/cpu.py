"""A HART in time: its run queue, its interrupts, the time these take, and the guest that runs
there.

An interrupt may split a guest's stretch of execution.  The guest later continues with the rest, so
the time at which it is done only ever gets later.  Its timer therefore keeps a single entry in the
queue of the environment, which is queued again whenever it comes too early.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from hgeisim.drivers.timed.environment import Lane, LaneEnvironment, LaneGenerator
from hgeisim.errors import ModelError
from hgeisim.kernel.structs import Rq
from hgeisim.machine.hart import Hart
from hgeisim.machine.ops import Path, Spend
from hgeisim.machine.schedule import Task
from hgeisim.machine.task import Runner


@dataclass(eq=False)
class Waiting:
    """A task in a run queue since `since_ns`; its lane is woken when it gets the HART.

    An `urgent` one (a kernel thread of a HART) stays on its HART and goes first, the stopper before
    the others.
    """

    task: Task
    lane: Lane
    since_ns: int
    urgent: int = 0

    @property
    def movable(self) -> bool:
        """Whether another HART may take it over."""
        return not (self.urgent or self.task.allowed)


@dataclass
class Arrived:
    """An interrupt that has reached a HART: its handler, and the context that waits for the end of
    it, if any."""

    path: Path[None]
    sender: Runner | None = None


@dataclass(eq=False, slots=True)
class Core:
    """One HART's run queue and interrupts: `hart` has its registers, and its number is the `cpu` of
    the kernel.

    `running` is the task that has had the HART since `since_ns`; it is `switching` until the
    context switch to it is over.  `queue` holds the tasks that wait for the HART.
    `arrived` are the interrupts that wait to be taken, `taken` is the last one taken.  `busy` is
    true while a hardirq runs, since `busy_ns`; `held_up` are the lanes that wait for its end, and
    `stolen_ns` is the time that all hardirqs took so far.  `guest()` makes the running guest exit
    and returns its lane; `exited_ns` is the time at which a guest last had to exit.
    `watched` is true while a lane waits for the end of the slice.
    """

    hart: Hart
    rq: Rq
    running: Task | None = None
    since_ns: int = 0
    switching: bool = False
    queue: list[Waiting] = field(default_factory=list)
    arrived: deque[Arrived] = field(default_factory=deque)
    taken: Arrived | None = None
    busy: bool = False
    busy_ns: int = 0
    held_up: list[Lane] = field(default_factory=list)
    stolen_ns: int = 0
    guest: Callable[[], Lane] | None = None
    exited_ns: int = 0
    watched: bool = False

    def add(self, waiting: Waiting) -> None:
        """Queue a task."""
        self.queue.append(waiting)
        self.rq.nr_running += 1

    def remove(self, waiting: Waiting) -> None:
        """Take a task out of the queue."""
        self.queue.remove(waiting)
        self.rq.nr_running -= 1

    def give_to(self, waiting: Waiting, now_ns: int) -> None:
        """Give the HART to a task of the queue."""
        self.queue.remove(waiting)
        self.running, self.since_ns, self.switching = waiting.task, now_ns, True
        waiting.lane.wake()

    def take(self, who: Task, now_ns: int) -> None:
        """Give the HART, which is idle, to its idle task."""
        self.running, self.since_ns = who, now_ns
        self.rq.nr_running += 1
        who.on_cpu = 1

    def leave(self, who: Task) -> bool:
        """Take the HART from a task; False if the task did not have it."""
        if self.running is not who:
            return False
        self.running = None
        self.rq.nr_running -= 1
        who.need_resched = 0
        return True

    def push_off(self) -> Iterator[Waiting]:
        """Take every task that may go elsewhere out of the queue."""
        for waiting in [w for w in self.queue if not w.urgent]:
            self.remove(waiting)
            yield waiting

    def hold_up(self, now_ns: int) -> None:
        """A hardirq takes the HART from its task; a running guest exits."""
        self.hart.take_interrupt()
        self.busy, self.busy_ns, self.exited_ns = True, now_ns, now_ns
        if self.guest is not None:
            self.held_up.append(self.guest())
            self.guest = None

    def trap(self, now_ns: int) -> None:
        """The running guest traps: an exit that it causes itself."""
        if self.guest is None:
            raise ModelError("no guest runs")
        self.hart.guest, self.exited_ns = 0, now_ns
        lane, self.guest = self.guest(), None
        lane.wake()

    def let_go(self, now_ns: int) -> None:
        """The hardirq is over: resume the lanes that it held up."""
        self.hart.end_interrupt()
        self.busy = False
        self.stolen_ns += now_ns - self.busy_ns
        for lane in self.held_up:
            lane.wake()
        self.held_up.clear()

    @property
    def load(self) -> int:
        """Tasks that run or wait here."""
        return len(self.queue) + (self.running is not None)

    @property
    def idle(self) -> bool:
        """Whether a task could run here immediately."""
        return self.running is None and not (self.queue or self.busy) and self.hart.active == 1


class GuestTimer:
    """One guest's timer; `due_ns` is the time at which it expires, None while it is not armed."""

    def __init__(self, env: LaneEnvironment, expire: Callable[[], None]) -> None:
        self.env, self.expire = env, expire
        self.due_ns: int | None = None
        self._parked = True
        self._lane = env.lane(self._run())

    def arm(self, due_ns: int) -> None:
        """Expire at a time, which must not be earlier than any time asked for before."""
        self.due_ns = due_ns
        if self._parked:
            self._parked = False
            self._lane.wake()

    def disarm(self) -> None:
        """Do not expire."""
        self.due_ns = None

    def _run(self) -> LaneGenerator:
        yield None
        while True:
            if self.due_ns is None:
                self._parked = True
                yield None
            elif self.due_ns > self.env.now:
                yield self.due_ns - int(self.env.now)
            else:
                self.due_ns = None
                self.expire()


class RunningGuest:
    """The guest of one thread: `stretch` is the cost of each stretch of execution, `left_ns` is the
    rest of the current one, None if a new one is to begin."""

    def __init__(self, env: LaneEnvironment, stretch: Spend) -> None:
        self.env, self.stretch = env, stretch
        self.left_ns: int | None = None
        self._on: tuple[Core, Lane] | None = None
        self._timer = GuestTimer(env, self._done)

    def run(self, core: Core) -> LaneGenerator:
        """Execute the guest until the stretch is over or an interrupt makes it exit."""
        if self.left_ns is None:
            raise ModelError("no stretch has begun")
        start_ns = int(self.env.now)
        if core.hart.guest:
            self._on = core, self.env.active_lane
            core.guest = self.exit
            self._timer.arm(start_ns + self.left_ns)
            yield None
        exited = not core.hart.guest  # a hardirq or a trap cleared it
        self.left_ns = self.left_ns - max(0, core.exited_ns - start_ns) if exited else None

    def exit(self) -> Lane:
        """Exit because of an interrupt; returns the lane to wake when that is over."""
        self._timer.disarm()
        return self._place()[1]

    def _done(self) -> None:
        core, lane = self._place()
        core.guest = None
        lane.wake()

    def _place(self) -> tuple[Core, Lane]:
        if self._on is None:
            raise ModelError("the guest has not run")
        return self._on
