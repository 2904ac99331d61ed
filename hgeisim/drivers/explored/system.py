"""What may happen next in an explored system, and what it does: one context, one atomic step.

This is the whole of the explored driver's knowledge about who may run where:

* a task steps when no hardirq runs on its HART and nobody else is pinned there;
* a task is pinned while interrupts or preemption are off and, without kernel preemption, from its
  first step in the kernel to its next voluntary operation;
* SGEI is taken when its level is up and the HART is interruptible; an IPI likewise.
"""

from __future__ import annotations

from collections.abc import Sequence

from hgeisim.checks.finding import Finding, Moment, StepCheck
from hgeisim.drivers.explored.automaton import REST, Automaton, MakePath, Node, start_of
from hgeisim.kernel.cpuhp import Cpuhp
from hgeisim.kernel.state import Thread
from hgeisim.machine.hart import Hart
from hgeisim.machine.ops import Ipi, Migrate, Op, PushOff
from hgeisim.machine.task import Runner, no_task


class System:
    """A kernel and its contexts: tasks first, then the SGEI of each HART, then each task's IPI.

    Build it, `add_task` the contexts, then `seal` it.  `attempt` makes one context step on the
    tracked memory.
    """

    def __init__(self, k: Cpuhp, preemption: str, checks: Sequence[StepCheck] = ()) -> None:
        assert k.memory is not None, "an explored kernel has tracked memory"
        self.k, self.memory, self.checks = k, k.memory, checks
        self.preemptible_kernel = preemption == "full"
        self.automata: list[Automaton] = []
        self.tasks: list[Thread] = []

    def add_task(self, thread: Thread, origin: MakePath) -> None:
        """Add a task that will execute a path."""
        automaton = Automaton(thread.name, thread, self.memory.cell(f"pc {thread.name}"))
        self.memory.cells[automaton.location] = self._start(automaton, origin)
        self.automata.append(automaton)
        self.tasks.append(thread)

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

    def seal(self) -> None:
        """Add the interrupt contexts; no task can be added any more."""
        for hart in self.k.hart:
            self._add_interrupt(f"sgei/{hart.id}", hart.id)
        for thread in self.tasks:
            self._add_interrupt(f"ipi<-{thread.name}", thread.cpu)
        self.memory.begin_step(self.memory.cells)

    def _add_interrupt(self, name: str, cpu: int) -> None:
        runner = no_task(self.memory, name, cpu, self.k.hart)
        self.automata.append(Automaton(name, runner, self.memory.cell(f"pc {name}")))

    def attempt(self, slot: int, here: int) -> tuple[int, tuple[Finding, ...]] | None:
        """Let context `slot` step from local state `here`; None when it cannot.

        Returns its next local state and what the checks found.
        """
        automaton = self.automata[slot]
        if slot < len(self.tasks):
            return None if here == REST else self._task(automaton, automaton.node(here), here)
        if here == REST:
            node = self._interrupt(slot, automaton)
            after = None if node is None else self._go_on(automaton, node)
        else:
            after = self._perform(automaton, automaton.node(here), here)
        if after is not None and after[0] == REST:
            self._return_from_interrupt(slot, automaton)
        return after

    def _task(
        self, automaton: Automaton, node: Node, here: int
    ) -> tuple[int, tuple[Finding, ...]] | None:
        who, op = automaton.runner, node.op
        hart = self.k.hart[op.cpu] if isinstance(op, Migrate) else who.hart
        if hart.hardirq or hart.current not in (0, who.id):
            return None
        after = self._perform(automaton, node, here)
        if after is not None:
            self._settle(who, automaton.nodes[after[0]])
        return after

    def _perform(
        self, automaton: Automaton, node: Node, here: int
    ) -> tuple[int, tuple[Finding, ...]] | None:
        """Begin, wait for, or complete the operation at which a context stands.

        What proceeds and is not ready then goes on waiting where it is.
        """
        who, op = automaton.runner, node.op
        if op.waits and not node.waiting:
            op.begin(who)
            if not op.ready(who):
                return automaton.wait(here), ()
        elif not op.ready(who):
            if not op.proceed(who):
                return None
            if not op.ready(who):
                return here, ()
        op.end(who)
        if isinstance(op, PushOff):
            self._push_off(op.cpu, who)
        return self._go_on(automaton, node)

    def _go_on(self, automaton: Automaton, node: Node) -> tuple[int, tuple[Finding, ...]]:
        after = automaton.advance(node, self.memory)
        function = node.functions[-1] if node.functions else automaton.name
        touched = tuple(self.memory.reads), tuple(self.memory.writes)
        moment = Moment(automaton.runner, node.op, function, *touched)
        return after, tuple(f for check in self.checks for f in check.step(self.k, moment))

    def _settle(self, who: Runner, node: Node | None) -> None:
        """Say whether the task is pinned to its HART from now on."""
        hart = who.hart
        pinned = bool(hart.irq_off or hart.preempt_count)
        leaves = node is None or node.op.voluntary
        assert not (pinned and leaves), f"{who.name} schedules while atomic"
        current = who.id if pinned or not (leaves or self.preemptible_kernel) else 0
        if hart.current != current:
            hart.current = current

    def _push_off(self, cpu: int, pusher: Runner) -> None:
        """Move every task to the first active HART: which one matters to nobody here."""
        to = next(hart.id for hart in self.k.hart if hart.active)
        for thread in self.tasks:
            if thread is not pusher and thread.cpu == cpu:
                thread.cpu = to

    def _interrupt(self, slot: int, automaton: Automaton) -> Node | None:
        """Take an interrupt if there is one and its HART takes it; return where its path starts."""
        number = slot - len(self.tasks)
        if number < len(self.k.hart):
            hart, origin = self._sgei(self.k.hart[number])
        else:
            hart, origin = self._ipi(self.tasks[number - len(self.k.hart)], automaton)
        if hart is None or origin is None:
            return None
        hart.take_interrupt()
        return start_of(origin)

    def _sgei(self, hart: Hart) -> tuple[Hart | None, MakePath | None]:
        if not (hart.sgei_pending() and hart.interruptible()):
            return None, None
        return hart, lambda: self.k.hgei_interrupt(hart.id)

    def _ipi(self, sender: Thread, automaton: Automaton) -> tuple[Hart | None, MakePath | None]:
        target = sender.ipi_to - 1
        if target < 0 or not self.k.hart[target].interruptible():
            return None, None
        op = self._standing_at(sender)
        assert isinstance(op, Ipi), f"{sender.name} waits for an IPI"
        automaton.runner.cpu = target
        return self.k.hart[target], lambda: op.handler(op.cpu, sender)

    def _standing_at(self, task: Thread) -> Op:
        automaton = self.automata[self.tasks.index(task)]
        return automaton.node(self.memory.read(automaton.location)).op

    def _return_from_interrupt(self, slot: int, automaton: Automaton) -> None:
        automaton.runner.hart.hardirq = 0
        number = slot - len(self.tasks) - len(self.k.hart)
        if number >= 0:
            self.tasks[number].ipi_to = 0
