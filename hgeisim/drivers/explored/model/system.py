"""The explored system: which context can make an atomic step, and what the step does.

Tasks step where they may run (contexts.py).  In addition,

* a HART takes an SGEI when its level is up and the HART is interruptible; an IPI likewise;
* a task that is to move is preempted where that is possible, and goes on at its new HART.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from types import CodeType

from hgeisim.checks.catalogue import OF_OWN_PATCHES, At, Offer
from hgeisim.checks.finding import Finding
from hgeisim.drivers.explored.model.automaton import REST, Automaton, MakePath, start_of
from hgeisim.drivers.explored.model.budget import UNLIMITED, Budget
from hgeisim.drivers.explored.model.contexts import Placement
from hgeisim.drivers.explored.model.frames import SeamError
from hgeisim.drivers.explored.model.step_checks import StepAsker
from hgeisim.drivers.explored.model.transaction import Contention, Outcome, Transaction
from hgeisim.drivers.path_failure import FAILURES, crash, has_own_patch, is_of_a_path
from hgeisim.errors import ModelError
from hgeisim.kernel.main import Module
from hgeisim.kernel.structs import Thread
from hgeisim.machine.hart import Hart
from hgeisim.machine.ipi import Ipi
from hgeisim.machine.task import Runner
from hgeisim.watch.call_chain import PathChains
from hgeisim.watch.lock_order import LockOrder

EXPLORED = Offer(
    (At.OPERATION, At.ACCESS, At.CALL, At.RETURN, At.STATE, At.QUIET),
    ("deadlock", "livelock", "lost-wakeup", *OF_OWN_PATCHES, "waits-for-guest"),
)
"""The checks of a search, and the kinds of finding besides (terminal_states, nontermination)."""
RACED = EXPLORED._replace(kinds=(*EXPLORED.kinds, "data-race"))
"""The same with data races (`explored/races`)."""
CALL = 2
"""`Hart.hardirq` while it runs a function that another HART sent."""


class System(Placement):
    """Contexts that step; call `add_task` for each task, then `seal`.

    `attempt` makes one context step on the tracked memory; `length` is then the number of
    operations in that step, and `crashed` says whether a user's patch failed on the way, so that
    nothing comes after it.  `lock_order` has seen everything before the start; a search does not
    use it.  `sgeis` are the ids of the vCPUs with MSIs that took an SGEI.  `budget` is shared by
    all searches of the system.
    """

    def __init__(self, k: Module, preemption: str) -> None:
        super().__init__(k, preemption)
        self.asker = StepAsker(k, self.memory)
        self.length = 0
        self.crashed = False
        self.own_patch = has_own_patch(k)
        self.lock_order = LockOrder(k.realtime, PathChains({}, type(k)))
        self.sgeis: Collection[int] = ()
        self.budget: Budget = UNLIMITED

    def origins(self) -> Iterator[CodeType]:
        """The code with which the paths of interrupts and of moves begin."""
        if self.k.vcpu_of:
            yield from (self._take_sgei.__code__, self._take_ipi.__code__)
        if self.movers:
            yield self._mover.__code__

    def attempt(
        self, slot: int, here: int, contention: Contention | None = None
    ) -> tuple[int, tuple[Finding, ...]] | None:
        """Let context `slot` step from local state `here`; None if it cannot.

        Returns its next local state and the findings of the step.  The step is one operation long
        unless a `contention` says which operations may be merged.
        """
        transaction = Transaction(self, self.asker, slot, contention)
        self.crashed = False
        try:
            return self._attempt(transaction, here)
        except SeamError:
            raise
        except FAILURES as error:
            if not is_of_a_path(self.k, error):
                raise
            self.crashed = True
            node = transaction.automaton.nodes[here]
            functions = node.functions if node else ()
            return here, (*transaction.findings, crash(self.k, error, functions))
        finally:
            self.length = transaction.length
            self.asker.stop()

    def _attempt(self, transaction: Transaction, here: int) -> Outcome | None:
        automaton = transaction.automaton
        interrupt = transaction.slot - len(self.tasks)
        if interrupt >= 2 * len(self.k.hart):
            return self._mover(transaction, automaton, here)
        if interrupt >= 0:
            return self._interrupt(transaction, automaton, here)
        if here == REST:
            return None
        mover = self.movers.get(automaton.runner.id)
        if mover is not None and self.memory.read(mover.location) != REST:
            return None  # it is being moved
        return self._step_of_task(transaction, automaton, here)

    def _step_of_task(
        self, transaction: Transaction, automaton: Automaton, here: int
    ) -> Outcome | None:
        who, node = automaton.runner, automaton.node(here)
        if not self.may_run(who, node.op):
            return None
        after = transaction.run(node, here)
        if after is not None:
            self.pin_or_release(who, automaton.nodes[after[0]])
        return after

    def _interrupt(
        self, transaction: Transaction, automaton: Automaton, here: int
    ) -> Outcome | None:
        """Take an interrupt that is pending, if its HART can, or go on with its handler."""
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
            if hart.hardirq == CALL:
                self.by_number[hart.next_caller()].runner.ipi_wait &= ~(1 << hart.id)
                hart.called()
            hart.end_interrupt()
        return after

    def _take_sgei(self, hart: Hart, runner: Runner) -> MakePath | None:
        if not (hart.sgei_pending() and hart.interruptible()):
            return None
        hart.note_sgei()
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

    def _mover(self, transaction: Transaction, automaton: Automaton, here: int) -> Outcome | None:
        """Preempt a task that is to move; a task that no HART executes is just moved."""
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
        """Move a task that has left its HART and is not being woken up."""
        leaving = thread.hart.current == thread.id or thread.pi_lock.drawn
        if leaving or not self.k.hart[thread.wanted - 1].active:
            return None
        thread.cpu, thread.wanted = thread.wanted - 1, 0
        return REST, ()
