"""What may happen next in an explored system, and what it does: one context, one atomic step.

This is the whole of the explored driver's knowledge about who may run where:

* a task steps when no hardirq runs on its HART and nobody else is pinned there;
* a task is pinned while interrupts or preemption are off and, without kernel preemption, from its
  first step in the kernel to its next voluntary operation;
* SGEI is taken when its level is up and the HART is interruptible; an IPI likewise;
* a task that somebody wants to move is preempted where it may be, and goes on there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hgeisim.checks.catalogue import At, Offer, asked
from hgeisim.checks.finding import Finding, Moment
from hgeisim.drivers.explored.automaton import REST, Automaton, MakePath, Node, start_of
from hgeisim.drivers.explored.contention import Contention
from hgeisim.drivers.explored.transaction import Outcome, Transaction
from hgeisim.errors import ModelError
from hgeisim.kernel.module import Module
from hgeisim.kernel.structs import Caller, Thread
from hgeisim.machine.hart import Hart
from hgeisim.machine.ipi import Ipi
from hgeisim.machine.ops import Op
from hgeisim.machine.schedule import PREEMPTIBLE, PushOff, RunOn, Schedule, SelectRq
from hgeisim.machine.shared import addresses
from hgeisim.machine.task import Runner
from hgeisim.watch.asker import ask_after_operations
from hgeisim.watch.call_chain import PathChains
from hgeisim.watch.lock_order import LockOrder

EXPLORED = Offer((At.OPERATION, At.ACCESS, At.STATE, At.QUIET), ("deadlock", "lost-wakeup"))
"""What is asked in a search; the end of a schedule shows the rest (`ends.py`)."""
ACCESS = asked(At.ACCESS)
CALL = 2
"""`Hart.hardirq` while it runs a function that another HART sent."""
CONTROL_OF_HART = (
    "irq_off", "hardirq", "preempt_count", "guest", "current", "active", "online",
    "call_queue", "resched_ipi", "hgeie", "hgeip", "sgeie",
)  # fmt: skip
"""The fields of a HART by which it is decided who may step."""


class System:
    """A kernel and its contexts: tasks, then each HART's SGEI and IPI, then each task's mover.

    Build it, `add_task` the contexts, then `seal` it: `start` are the cells from then on.
    `attempt` makes one context step on the tracked memory; `length` then says how many operations
    long that step was.  `lock_order` has seen what was before the start; a search does not ask it.
    """

    def __init__(self, k: Module, preemption: str) -> None:
        if k.memory is None:
            raise ModelError("an explored kernel needs tracked memory")
        self.k, self.memory = k, k.memory
        self._moment: Moment | None = None
        self._found: list[Finding] = []
        ask_after_operations(k, k.watch, self._found.extend, self._now)
        self.preemptible_kernel = preemption in PREEMPTIBLE
        self.automata: list[Automaton] = []
        self.tasks: list[Thread] = []
        self.by_number: dict[int, Automaton] = {}
        self.callers: list[Caller] = []
        self.movers: dict[int, Automaton] = {}
        self.start: list[int] = []
        self.length = 0
        self.lock_order = LockOrder(k.realtime, PathChains({}))

    def add_task(self, thread: Thread, origin: MakePath) -> None:
        """Add a task that will execute a path."""
        automaton = Automaton(thread.name, thread, self.memory.cell(f"pc {thread.name}"))
        self.memory.cells[automaton.location] = self._start(automaton, origin)
        self.automata.append(automaton)
        self.tasks.append(thread)
        self.by_number[thread.number] = automaton
        self.callers.append(thread)

    def _start(self, automaton: Automaton, origin: MakePath) -> int:
        """The local state a task starts in: before its first operation, if nobody can tell whether
        it has come so far, since nothing shared is touched on the way there."""
        start = automaton.start(origin)
        cells = self.memory.cells
        self.memory.begin_step(list(cells))
        first = automaton.advance(automaton.node(start), self.memory)
        unseen = not (self.memory.reads or self.memory.writes) and first != REST
        self.memory.begin_step(cells)
        return first if unseen else start

    def seal(self, movable: Sequence[Thread] = ()) -> None:
        """Add the interrupt contexts, and movers for the tasks that somebody moves; no task can be
        added any more."""
        for kind, name in enumerate(("sgei", "ipi")):
            for hart in self.k.hart:
                number = kind * len(self.k.hart) + hart.id
                runner = self.k.hardirq(f"{name}/{hart.id}", number, hart.id)
                self.by_number[runner.number] = self._add_context(runner.name, runner)
                self.callers.append(runner)
        for thread in movable:
            self.movers[thread.id] = self._add_context(f"move {thread.name}", thread)
        self.start = list(self.memory.cells)

    def _add_context(self, name: str, runner: Runner) -> Automaton:
        automaton = Automaton(name, runner, self.memory.cell(f"pc {name}"))
        self.automata.append(automaton)
        return automaton

    def handed(self) -> frozenset[int]:
        """What senders of IPIs have on their stacks: while they wait it is the handler's."""
        parts = [part for who in self.callers for part in (who.data, who.data.mrif)]
        return frozenset(address for part in parts for address in addresses(part))

    def control(self) -> Iterator[int]:
        """The cells by which this driver decides who may step."""
        for hart in self.k.hart:
            yield from addresses(hart, *CONTROL_OF_HART)
        for who in self.callers:
            yield from addresses(who, "ipi_wait")
        for thread in self.tasks:
            if thread.id in self.movers:
                yield from addresses(thread, "cpu", "on_rq", "on_cpu", "allowed", "wanted")
                yield from addresses(thread.pi_lock, "drawn")

    def attempt(
        self, slot: int, here: int, contention: Contention | None = None
    ) -> tuple[int, tuple[Finding, ...]] | None:
        """Let context `slot` step from local state `here`; None when it cannot.

        Returns its next local state and what the checks found.  The step is one operation long
        unless there is a `contention` to say which may be merged.
        """
        transaction = Transaction(self, slot, contention)
        automaton = self.automata[slot]
        interrupt = slot - len(self.tasks)
        if interrupt < 0:
            after = None if here == REST else self._task(transaction, automaton, here)
        elif interrupt < 2 * len(self.k.hart):
            after = self._interrupt(transaction, automaton, here)
        else:
            after = self._mover(transaction, automaton, here)
        self.length = transaction.length
        return after

    def _task(self, transaction: Transaction, automaton: Automaton, here: int) -> Outcome | None:
        mover = self.movers.get(automaton.runner.id)
        if mover is not None and self.memory.read(mover.location) != REST:
            return None
        return self._step_of_task(transaction, automaton, here)

    def _step_of_task(
        self, transaction: Transaction, automaton: Automaton, here: int
    ) -> Outcome | None:
        who, node = automaton.runner, automaton.node(here)
        if not self.may_run(who, node.op):
            return None
        after = transaction.run(node, here)
        if after is not None:
            self._settle(who, automaton.nodes[after[0]])
        return after

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

    def show(self, moment: Moment) -> tuple[Finding, ...]:
        """Show an operation, just completed for the first time, to those who watch; returns what
        they found.  What they read is an input of the step, and no access of the path."""
        touched, self.memory.touched = self.memory.touched, {}
        self._moment = moment
        self.k.watch.show(moment.who, moment.op)
        self.memory.touched = touched
        found = tuple(self._found)
        self._found.clear()
        return found

    def _now(self, who: Runner, op: Op) -> Moment:
        """The moment that is shown just now."""
        if self._moment is None:
            raise ModelError(f"{op} is shown to nobody")
        return self._moment

    def accessed(self, moment: Moment) -> tuple[Finding, ...]:
        """What is wrong with the cells that a whole step touched."""
        return tuple(finding for check in ACCESS for finding in check.wrong(self.k, moment))

    def _push(self, thread: Thread, cpu: int) -> None:
        """Move a task in one step; of its preempt notifiers only what vcpu->cpu is in the end."""
        thread.cpu = cpu
        vcpu = self.k.vcpu_of.get(thread)
        if vcpu is not None and vcpu.cpu >= 0:
            vcpu.cpu = cpu

    def _settle(self, who: Runner, node: Node | None) -> None:
        """Say whether the task is pinned to its HART from now on."""
        hart = who.hart
        pinned = bool(hart.irq_off or hart.preempt_count)
        leaves = node is None or node.op.voluntary
        sleeping_lock = node is not None and node.op.waits
        if pinned and leaves and not sleeping_lock:
            raise ModelError(f"{who.name} schedules while atomic")
        current = who.id if pinned or not (leaves or self.preemptible_kernel) else 0
        if hart.current != current:
            hart.current = current

    def _interrupt(
        self, transaction: Transaction, automaton: Automaton, here: int
    ) -> Outcome | None:
        """Take an interrupt if there is one and its HART takes it, or go on with its handler."""
        runner = automaton.runner
        hart = self.k.hart[runner.cpu]
        if here != REST:
            after = transaction.run(automaton.node(here), here)
        else:
            sgei = transaction.slot - len(self.tasks) < len(self.k.hart)
            origin = self._take_sgei(hart, runner) if sgei else self._take_ipi(hart, runner)
            if origin is None:
                return None
            after = transaction.start(start_of(origin))
        if after is not None and after[0] == REST:
            self._return_from_interrupt(hart)
        return after

    def _take_sgei(self, hart: Hart, runner: Runner) -> MakePath | None:
        if not (hart.sgei_pending() and hart.interruptible()):
            return None
        hart.take_interrupt()
        return lambda: self.k.hgei_interrupt(runner)

    def _take_ipi(self, hart: Hart, runner: Runner) -> MakePath | None:
        number = hart.next_caller()
        if not (number or hart.resched_ipi) or not hart.interruptible():
            return None
        hart.take_interrupt()
        if not number:
            hart.resched_ipi = 0
            return lambda: self.k.scheduler_ipi(runner)
        hart.hardirq = CALL
        sender = self.by_number[number]
        op = sender.node(self.memory.read(sender.location)).op
        if not isinstance(op, Ipi):
            raise ModelError(f"{sender.name} does not wait for an IPI")
        return lambda: op.handler(runner, sender.runner)

    def _return_from_interrupt(self, hart: Hart) -> None:
        if hart.hardirq == CALL:
            self.by_number[hart.next_caller()].runner.ipi_wait &= ~(1 << hart.id)
            hart.called()
        hart.hardirq = 0

    def _mover(self, transaction: Transaction, automaton: Automaton, here: int) -> Outcome | None:
        """Preempt a task that is to move; one that no HART executes just goes there."""
        thread = next(t for t in self.tasks if t is automaton.runner)
        if here != REST:
            return self._step_of_task(transaction, automaton, here)
        home = self.by_number[thread.number]
        if not thread.wanted or self.memory.read(home.location) == REST:
            return None
        if not thread.on_cpu:
            transaction.length = 1
            return self._move_idle(thread)
        if thread.hart.hardirq or thread.hart.current:
            return None
        cpu = thread.wanted - 1
        thread.wanted = 0
        return transaction.start(start_of(lambda: self.k.move_to(thread, cpu)))

    def _move_idle(self, thread: Thread) -> Outcome | None:
        """Move a task that has left its HART and that nobody is waking up."""
        leaving = thread.hart.current == thread.id or thread.pi_lock.drawn
        if leaving or not self.k.hart[thread.wanted - 1].active:
            return None
        thread.cpu, thread.wanted = thread.wanted - 1, 0
        return REST, ()
