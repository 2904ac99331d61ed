"""The operations that kernel paths yield: everything a path asks of the machine.

An operation is made once, compared by value, and carries no state.  A driver decides when it
happens; what happens is written here, once, for every driver, in three parts:

    begin(who)   what precedes waiting: interrupts go off, a ticket is drawn, an IPI is sent
    ready(who)   whether it can complete
    end(who)     what completing it does

`who` is the `Runner` that executes it.  Operations that say who runs where (`scheduling`) are
completed by the driver, since that is the driver's decision; `voluntary` ones give up the HART.
`cost` is the entry of the timing table that the timed driver charges.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias, TypeVar

if TYPE_CHECKING:
    from hgeisim.machine.mutex import Mutex
    from hgeisim.machine.spinlock import RawSpinlock
    from hgeisim.machine.task import RcuWait, Runner

T = TypeVar("T")


class Op:
    """An operation; this one does nothing and is always ready."""

    __slots__ = ()
    cost: ClassVar[str] = ""
    waits: ClassVar[bool] = False
    scheduling: ClassVar[bool] = False
    voluntary: ClassVar[bool] = False

    def begin(self, who: Runner) -> None:
        """Do what precedes waiting."""

    def ready(self, who: Runner) -> bool:
        """Tell whether the operation can complete."""
        return True

    def proceed(self, who: Runner) -> bool:
        """While waiting and not ready: go on to the next phase of the wait, in one atomic step.

        Returns True when it changed something, perhaps so that it is ready now, and False when it
        changed nothing.
        """
        return False

    def can_go_on(self, who: Runner) -> bool:
        """Tell whether it is ready or would proceed; changes nothing."""
        return self.ready(who)

    def end(self, who: Runner) -> None:
        """Complete it."""


Path: TypeAlias = Generator[Op, Any, T]
"""A kernel path: yields operations, returns what the C function returns."""


@dataclass(frozen=True, slots=True)
class Step(Op):
    """A step boundary: the path goes on with its next shared access."""

    def __str__(self) -> str:
        return "step"


@dataclass(frozen=True, slots=True)
class Acquire(Op):
    """raw_spin_lock or raw_spin_lock_irqsave: a CPU that spins with interrupts off is deaf."""

    cost: ClassVar[str] = "raw_spin_lock"
    waits: ClassVar[bool] = True
    lock: RawSpinlock
    irqsave: bool

    def begin(self, who: Runner) -> None:
        """Turn interrupts, or at least preemption, off and draw a ticket."""
        who.harts[who.cpu].hold_off(self.irqsave, 1)
        who.ticket = self.lock.draw()

    def ready(self, who: Runner) -> bool:
        """It is our turn."""
        return self.lock.owner == who.ticket

    def end(self, who: Runner) -> None:
        """Be inside; the ticket no longer matters."""
        self.lock.enter()
        who.ticket = 0

    def __str__(self) -> str:
        return f"lock {self.lock}"


@dataclass(frozen=True, slots=True)
class Release(Op):
    """raw_spin_unlock or raw_spin_unlock_irqrestore: pending interrupts are taken after it."""

    cost: ClassVar[str] = "raw_spin_unlock"
    lock: RawSpinlock
    irqrestore: bool

    def end(self, who: Runner) -> None:
        """Let the next one in and turn interrupts on again."""
        self.lock.leave()
        who.harts[who.cpu].hold_off(self.irqrestore, -1)

    def __str__(self) -> str:
        return f"unlock {self.lock}"


@dataclass(frozen=True, slots=True)
class InitLock(Op):
    """raw_spin_lock_init."""

    lock: RawSpinlock

    def end(self, who: Runner) -> None:
        """Zero both counters, held or not."""
        self.lock.reset()

    def __str__(self) -> str:
        return f"init {self.lock}"


@dataclass(frozen=True, slots=True)
class MutexLock(Op):
    """mutex_lock: sleeps until nobody holds it."""

    voluntary: ClassVar[bool] = True
    lock: Mutex

    def ready(self, who: Runner) -> bool:
        """Nobody holds it."""
        return self.lock.owner == 0

    def end(self, who: Runner) -> None:
        """Hold it."""
        self.lock.owner = who.id

    def __str__(self) -> str:
        return f"mutex_lock {self.lock}"


@dataclass(frozen=True, slots=True)
class MutexUnlock(Op):
    """mutex_unlock."""

    lock: Mutex

    def end(self, who: Runner) -> None:
        """Let others have it."""
        self.lock.owner = 0

    def __str__(self) -> str:
        return f"mutex_unlock {self.lock}"


@dataclass(frozen=True, slots=True)
class Irq(Op):
    """local_irq_save (off) or local_irq_restore."""

    off: bool

    def end(self, who: Runner) -> None:
        """Count how often interrupts were turned off."""
        who.hart.irq_off += 1 if self.off else -1

    def __str__(self) -> str:
        return "local_irq_save" if self.off else "local_irq_restore"


@dataclass(frozen=True, slots=True)
class Preempt(Op):
    """preempt_disable (off) or preempt_enable; get_cpu and put_cpu are the same thing."""

    off: bool

    def end(self, who: Runner) -> None:
        """Count the nesting."""
        who.hart.preempt_count += 1 if self.off else -1

    def __str__(self) -> str:
        return "preempt_disable" if self.off else "preempt_enable"


@dataclass(frozen=True, slots=True)
class Spend(Op):
    """Time goes by: `what` is an entry of the timing table, `of` names whose time it is.

    Guest mode is such a time.  Explored, it is a place where others may step in.
    """

    what: str
    of: str = ""
    guest: bool = False

    def __str__(self) -> str:
        return f"{self.what} {self.of}".strip()


@dataclass(frozen=True, slots=True)
class SweepVsFile(Op):
    """Read or write all registers of the guest file that hstatus.VGEIN names, on this HART."""

    cost: ClassVar[str] = "vsfile_sweep"

    def end(self, who: Runner) -> None:
        """Illegal instruction when there is no such file."""
        who.hart.access_vsfile()

    def __str__(self) -> str:
        return "sweep VS-file"


@dataclass(frozen=True, slots=True)
class EnterGuest(Op):
    """sret into the guest of a vCPU; from then on every interrupt of the HART makes it exit."""

    cost: ClassVar[str] = "guest_entry"
    vcpu: int

    def end(self, who: Runner) -> None:
        """Be in the guest."""
        who.hart.guest = self.vcpu

    def __str__(self) -> str:
        return "enter guest"


@dataclass(frozen=True, slots=True)
class Ipi(Op):
    """smp_call_function on HART `cpu` with wait; silently nothing when it is not online.

    `handler(cpu, sender)` is the path that runs there as a hardirq.
    """

    cost: ClassVar[str] = "ipi"
    waits: ClassVar[bool] = True
    cpu: int
    handler: Callable[[int, Any], Path[None]]

    def begin(self, who: Runner) -> None:
        """Send it."""
        if who.harts[self.cpu].online:
            who.ipi_to = self.cpu + 1

    def ready(self, who: Runner) -> bool:
        """The handler has finished."""
        return who.ipi_to == 0

    def __str__(self) -> str:
        return f"IPI hart{self.cpu} {self.handler.__name__}"


@dataclass(frozen=True, slots=True)
class SampleSgei(Op):
    """The level of a HART's SGEI wire may have changed: let it look."""

    cpu: int

    def __str__(self) -> str:
        return f"sgei hart{self.cpu}"


@dataclass(frozen=True, slots=True)
class Block(Op):
    """schedule() of a task that sleeps on an rcuwait until it is woken."""

    scheduling: ClassVar[bool] = True
    voluntary: ClassVar[bool] = True
    wait: RcuWait

    def ready(self, who: Runner) -> bool:
        """Somebody woke it."""
        return self.wait.woken == 1

    def __str__(self) -> str:
        return f"sleep on {self.wait}"


@dataclass(frozen=True, slots=True)
class Wake(Op):
    """rcuwait_wake_up."""

    cost: ClassVar[str] = "wake_up"
    wait: RcuWait

    def end(self, who: Runner) -> None:
        """Make the sleeper runnable, if there is one."""
        self.wait.wake()

    def __str__(self) -> str:
        return f"wake {self.wait}"


@dataclass(frozen=True, slots=True)
class Schedule(Op):
    """schedule() of a runnable task: it queues for its HART again."""

    scheduling: ClassVar[bool] = True
    voluntary: ClassVar[bool] = True

    def __str__(self) -> str:
        return "schedule"


@dataclass(frozen=True, slots=True)
class Migrate(Op):
    """sched_setaffinity to one HART: the task goes on there, once that HART is active."""

    scheduling: ClassVar[bool] = True
    voluntary: ClassVar[bool] = True
    cpu: int

    def ready(self, who: Runner) -> bool:
        """User tasks may only be put on an active CPU."""
        return who.harts[self.cpu].active == 1

    def end(self, who: Runner) -> None:
        """Be there."""
        who.cpu = self.cpu

    def __str__(self) -> str:
        return f"migrate to hart{self.cpu}"


@dataclass(frozen=True, slots=True)
class PushOff(Op):
    """CPUHP_AP_SCHED_WAIT_EMPTY: every task leaves HART `cpu`, which can be pushed off only
    where preemption allows it.  The driver says where they go."""

    scheduling: ClassVar[bool] = True
    voluntary: ClassVar[bool] = True
    cpu: int

    def ready(self, who: Runner) -> bool:
        """Nothing on the HART is in a section that must not be preempted."""
        return who.harts[self.cpu].preemptible()

    def __str__(self) -> str:
        return f"push tasks off hart{self.cpu}"


@dataclass(frozen=True, slots=True)
class StopMachine(Op):
    """stop_machine: waits until every online HART has left its preempt-disabled section."""

    cost: ClassVar[str] = "stop_machine"
    voluntary: ClassVar[bool] = True

    def ready(self, who: Runner) -> bool:
        """Every stopper thread could run."""
        return all(hart.preemptible() for hart in who.harts if hart.online)

    def __str__(self) -> str:
        return "stop_machine"


STEP = Step()
LOCAL_IRQ_SAVE, LOCAL_IRQ_RESTORE = Irq(True), Irq(False)
PREEMPT_DISABLE, PREEMPT_ENABLE = Preempt(True), Preempt(False)
SWEEP_VSFILE = SweepVsFile()
SCHEDULE = Schedule()
STOP_MACHINE = StopMachine()
