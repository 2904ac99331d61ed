"""A HART in time: which task has it, who waits for it, what its interrupts take away, and the
guest that runs there.

An interrupt may split a guest's stretch of execution.  The guest goes on later with what is left,
so the time at which it will be done only ever gets later.  Its alarm therefore keeps a single entry
in the queue of the environment: when that comes too early, it is queued again.
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
    """A task that waits for a HART: since when, and its lane, which is woken when it has it.

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
    """An interrupt that has reached a HART: its handler, and who waits for its end, if anybody."""

    path: Path[None]
    sender: Runner | None = None


@dataclass(eq=False, slots=True)
class Core:
    """One HART's run queue and interrupts.

    `running` is the task that has the HART, since `since_ns`; while `switching` the HART is still
    on its way to it.  `queue` are those that wait.
    `arrived` are interrupts that wait to be taken, `taken` is the last one that was.  `busy` is
    true while a hardirq runs, since `busy_ns`; `held_up` are the lanes that wait for its end;
    `stolen_ns` adds up what all that took.  `guest` is how to make the guest
    exit that runs, which returns its lane; `exited_ns` is when one last had to.  `watched` tells
    whether somebody waits for the end of the slice.
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
        """A task that waited has the HART from now on."""
        self.queue.remove(waiting)
        self.running, self.since_ns, self.switching = waiting.task, now_ns, True
        waiting.lane.wake()

    def leave(self, who: Task) -> bool:
        """Take the HART from a task; False when it did not have it."""
        if self.running is not who:
            return False
        self.running = None
        self.rq.nr_running -= 1
        who.need_resched = 0
        return True

    def push_off(self) -> Iterator[Waiting]:
        """Take every waiting task out of the queue that may go elsewhere."""
        for waiting in [w for w in self.queue if not w.urgent]:
            self.remove(waiting)
            yield waiting

    def hold_up(self, now_ns: int) -> None:
        """Something else than its task has the HART; a guest exits."""
        self.hart.take_interrupt()
        self.busy, self.busy_ns, self.exited_ns = True, now_ns, now_ns
        if self.guest is not None:
            self.held_up.append(self.guest())
            self.guest = None

    def trap(self, now_ns: int) -> None:
        """The guest that runs exits by what it does itself."""
        if self.guest is None:
            raise ModelError("no guest runs")
        self.hart.guest, self.exited_ns = 0, now_ns
        lane, self.guest = self.guest(), None
        lane.wake()

    def let_go(self, now_ns: int) -> None:
        """Let those go on that were held up until now."""
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
        """Whether a task could run here at once."""
        return self.running is None and not (self.queue or self.busy) and self.hart.active == 1


class GuestTimer:
    """One guest's alarm; `due_ns` is when it is to go off, None when it is not set."""

    def __init__(self, env: LaneEnvironment, go_off: Callable[[], None]) -> None:
        self.env, self.go_off = env, go_off
        self.due_ns: int | None = None
        self._parked = True
        self._lane = env.lane(self._run())

    def arm(self, due_ns: int) -> None:
        """Go off at a time, no earlier than any time asked for before."""
        self.due_ns = due_ns
        if self._parked:
            self._parked = False
            self._lane.wake()

    def disarm(self) -> None:
        """Do nothing then."""
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
                self.go_off()


class RunningGuest:
    """The guest of one thread; `stretch` says how long each stretch is, `left_ns` is what is left
    of the present one, None when a new one is to begin."""

    def __init__(self, env: LaneEnvironment, stretch: Spend) -> None:
        self.env, self.stretch = env, stretch
        self.left_ns: int | None = None
        self._on: tuple[Core, Lane] | None = None
        self._timer = GuestTimer(env, self._done)

    def run(self, core: Core) -> LaneGenerator:
        """Work until the stretch is over or an interrupt makes the guest exit."""
        if self.left_ns is None:
            raise ModelError("no stretch has begun")
        start_ns = int(self.env.now)
        if core.hart.guest:
            self._on = core, self.env.active_lane
            core.guest = self.exit
            self._timer.arm(start_ns + self.left_ns)
            yield None
        exited = not core.hart.guest
        self.left_ns = self.left_ns - max(0, core.exited_ns - start_ns) if exited else None

    def exit(self) -> Lane:
        """An interrupt makes it exit: returns the lane to wake when that is over."""
        self._timer.disarm()
        return self._place()[1]

    def _done(self) -> None:
        core, lane = self._place()
        core.guest = None
        lane.wake()

    def _place(self) -> tuple[Core, Lane]:
        if self._on is None:
            raise ModelError("it has not run")
        return self._on
