"""A context of execution as the machine sees it: where it runs and what it waits for."""

from __future__ import annotations

from collections.abc import Sequence

from hgeisim.machine.hart import Hart
from hgeisim.machine.ops import Block, Wake
from hgeisim.machine.shared import Field, Memory, Shared, build


class Runner(Shared):
    """Something that executes operations: a task, or the hardirq of a HART.

    `cpu` is the HART it is on, `ticket` the ticket it spins with, `phase` how far a wait of several
    phases has come (0 when it is over), `ipi_to` the HART (plus 1) that it waits for after a
    synchronous IPI, 0 when it waits for none.  `srcu` holds the indexes of the SRCU sections it is
    in, see `Srcu`.  `id` is 0 for a hardirq.
    """

    cpu: Field
    ticket: Field
    phase: Field
    srcu: Field
    ipi_to: Field
    id: int
    name: str
    harts: Sequence[Hart]

    @property
    def hart(self) -> Hart:
        """The HART it is on at this moment."""
        return self.harts[self.cpu]


def no_task(memory: Memory | None, name: str, cpu: int, harts: Sequence[Hart]) -> Runner:
    """Make a context that is no task: a hardirq on a HART, or a device."""
    runner = build(Runner, memory, name, cpu=cpu, harts=harts)
    runner.name, runner.id = name, 0
    return runner


class RcuWait(Shared):
    """rcuwait: at most one task sleeps here (kernel/exit.c, include/linux/rcuwait.h, v6.12).

    `waiter` is 1 between prepare_to_rcuwait and finish_rcuwait; `woken` is 1 when the waiter's
    task state is TASK_RUNNING again.  A wake-up without a waiter is lost, as in the kernel.
    """

    waiter: Field
    woken: Field
    name: str
    schedule: Block
    wake_up: Wake

    def wake(self) -> None:
        """rcuwait_wake_up."""
        if self.waiter:
            self.woken = 1


def rcuwait(memory: Memory | None, name: str) -> RcuWait:
    """Make an rcuwait with its operations."""
    wait = build(RcuWait, memory, name)
    wait.name = name
    wait.schedule, wait.wake_up = Block(wait), Wake(wait)
    return wait
