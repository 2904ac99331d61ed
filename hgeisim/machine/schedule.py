"""Which task runs where: giving a HART up, being woken, being moved, and waiting for whole HARTs.

The driver completes what is `scheduling`, since who runs where is its decision.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hgeisim.machine.ops import Op, Sleep
from hgeisim.machine.shared import Field
from hgeisim.machine.task import Runner

TASK_RUNNING, TASK_INTERRUPTIBLE = 0, 1
PREEMPTIBLE = ("full", "rt")
"""The preemption models in which a task can be preempted in the kernel."""


class Task(Runner):
    """A task as the scheduler knows it (struct task_struct).

    `state` is its `__state`; `on_rq` is 1 while it is runnable, `on_cpu` while a HART executes it.
    `allowed` is the one HART that its affinity allows plus 1, or 0 for all; `wanted` is the HART
    that somebody else wants it to move to plus 1, 0 when nobody does.  `need_resched` is its flag
    TIF_NEED_RESCHED: it is to let others have the HART.
    `cpus_mask` has a bit for each HART on which its user lets it run; only time looks at it.
    """

    state: Field
    on_rq: Field
    on_cpu: Field
    allowed: Field
    wanted: Field
    need_resched: Field
    cpus_mask: int
    schedule: Schedule
    wait_off_cpu: WaitOffCpu
    select_rq: SelectRq
    activate: Activate


@dataclass(frozen=True, slots=True)
class Schedule(Sleep):
    """context_switch: the HART goes to another task, until this one is runnable and has one."""

    scheduling: ClassVar[bool] = True
    task: Task

    def ready(self, who: Runner) -> bool:
        """It is runnable, and the HART that it must run on takes tasks."""
        task = self.task
        return task.on_rq == 1 and (not task.allowed or who.harts[task.allowed - 1].active == 1)

    def can_go_on(self, who: Runner) -> bool:
        """It is runnable."""
        return self.task.on_rq == 1

    def end(self, who: Runner) -> None:
        """Be executed again."""
        self.task.on_cpu = 1

    def __str__(self) -> str:
        return "schedule"


@dataclass(frozen=True, slots=True)
class WaitOffCpu(Op):
    """smp_cond_load_acquire(&p->on_cpu, !VAL): spin until a HART is done with switching p out."""

    waits: ClassVar[bool] = True
    task: Task

    def ready(self, who: Runner) -> bool:
        """No HART executes it."""
        return self.task.on_cpu == 0

    def __str__(self) -> str:
        return f"wait until {self.task} is off its cpu"


@dataclass(frozen=True, slots=True)
class SelectRq(Op):
    """select_task_rq: decide where a woken task is to run."""

    scheduling: ClassVar[bool] = True
    task: Task

    def __str__(self) -> str:
        return f"select_task_rq {self.task}"


@dataclass(frozen=True, slots=True)
class Activate(Op):
    """ttwu_do_activate: the task is runnable from now on."""

    cost: ClassVar[str] = "wake_up"
    task: Task

    def end(self, who: Runner) -> None:
        """Put it on the run queue."""
        self.task.on_rq, self.task.state = 1, TASK_RUNNING

    def __str__(self) -> str:
        return f"wake {self.task}"


@dataclass(frozen=True, slots=True)
class RunOn(Sleep):
    """Hand over to the kernel thread of HART `cpu`: the one thread stands for all of them."""

    cpu: int

    def end(self, who: Runner) -> None:
        """Be there; such a thread needs no active HART."""
        who.cpu = self.cpu

    def __str__(self) -> str:
        return f"cpuhp/{self.cpu} goes on"


@dataclass(frozen=True, slots=True)
class PushOff(Sleep):
    """CPUHP_AP_SCHED_WAIT_EMPTY: every task leaves HART `cpu`, which can be pushed off only
    where preemption allows it.  The driver says where they go."""

    scheduling: ClassVar[bool] = True
    cpu: int

    def ready(self, who: Runner) -> bool:
        """Nothing on the HART is in a section that must not be preempted."""
        return who.harts[self.cpu].preemptible()

    def __str__(self) -> str:
        return f"push tasks off hart{self.cpu}"


@dataclass(frozen=True, slots=True)
class StopMachine(Sleep):
    """stop_machine: waits until the stopper of every online HART has come.

    They come one by one, and in time so they do (`drivers/timed/stoppers.py`).  Here, and so in a
    search, they come in one step, when every HART is preemptible.  That has the same outcomes: a
    stopper that came earlier only keeps the task of its HART from stepping, which an explorer may
    do anyway, and answers interrupts, after which its HART is preemptible again.  Nor can a HART
    that is held so hang another: whoever waits there without giving its HART up waits for a lock
    that spins, whose holder and whose queue have preemption off, or for an interrupt.  A patch
    that polls for what a preemptible task does is the exception; its hang is not found here.
    """

    cost: ClassVar[str] = "stop_machine"

    def ready(self, who: Runner) -> bool:
        """Every stopper thread could run."""
        return all(hart.preemptible() for hart in who.harts if hart.online)

    def __str__(self) -> str:
        return "stop_machine"


STOP_MACHINE = StopMachine()
