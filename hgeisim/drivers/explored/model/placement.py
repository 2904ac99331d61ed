"""Who may run where: the decisions of a scheduler, as far as the explored driver makes any.

* a task steps when no hardirq runs on its HART and nobody else is pinned there;
* a task is pinned while interrupts or preemption are off and, without kernel preemption, from its
  first step in the kernel to its next voluntary operation;
* a task whose CPU goes away is pushed to the first that is active.
"""

from __future__ import annotations

from hgeisim.drivers.crash import AtomicSleep
from hgeisim.drivers.explored.model.automaton import Node
from hgeisim.drivers.explored.model.contexts import Contexts
from hgeisim.kernel.module import Module
from hgeisim.kernel.structs import Thread
from hgeisim.machine.ops import Op
from hgeisim.machine.schedule import PREEMPTIBLE, PushOff, RunOn, Schedule, SelectRq
from hgeisim.machine.task import Runner


class Placement(Contexts):
    """Contexts on the HARTs of their kernel, with a model of preemption."""

    def __init__(self, k: Module, preemption: str) -> None:
        super().__init__(k)
        self.preemptible_kernel = preemption in PREEMPTIBLE

    def may_run(self, who: Runner, op: Op) -> bool:
        """Tell whether nobody else keeps the HART that a task needs for its operation."""
        hart = self.k.hart[self._cpu_for(who, op)]
        return not hart.hardirq and hart.current in (0, who.id)

    def _cpu_for(self, who: Runner, op: Op) -> int:
        """The HART that a task needs for its operation."""
        if isinstance(op, RunOn):
            return op.cpu
        if not isinstance(op, Schedule):
            return who.cpu
        return op.task.allowed - 1 if op.task.allowed else self._active_or_other(who.cpu)

    def _active_or_other(self, cpu: int) -> int:
        """A CPU, or the first active one if it is not: which one matters to nobody here."""
        if self.k.hart[cpu].active:
            return cpu
        return next(hart.id for hart in self.k.hart if hart.active)

    def complete(self, who: Runner, op: Op) -> None:
        """What the driver decides when an operation is complete."""
        if isinstance(op, Schedule):
            cpu = self._cpu_for(who, op)
            if who.cpu != cpu:
                who.cpu = cpu
        elif isinstance(op, PushOff):
            for thread in self.tasks:
                if thread is not who and thread.cpu == op.cpu:
                    self._push(thread, self._active_or_other(op.cpu))
        elif isinstance(op, SelectRq):
            cpu = self._active_or_other(op.task.cpu)
            if cpu != op.task.cpu and op.task.hart.current != op.task.id:
                op.task.cpu = cpu

    def _push(self, thread: Thread, cpu: int) -> None:
        """Move a task in one step; of its preempt notifiers only what vcpu->cpu is in the end."""
        thread.cpu = cpu
        vcpu = self.k.vcpu_of.get(thread)
        if vcpu is not None and vcpu.cpu >= 0:
            vcpu.cpu = cpu

    def settle(self, who: Runner, node: Node | None) -> None:
        """Say whether the task is pinned to its HART from now on."""
        hart = who.hart
        pinned = bool(hart.irq_off or hart.preempt_count)
        leaves = node is None or node.op.voluntary
        sleeping_lock = node is not None and node.op.waits
        if pinned and leaves and not sleeping_lock:
            what = "finishes" if node is None else f"schedules (at {node.op})"
            functions = node.functions if node else ()
            raise AtomicSleep(f"{who.name} {what} while atomic", functions)
        current = who.id if pinned or not (leaves or self.preemptible_kernel) else 0
        if hart.current != current:
            hart.current = current
