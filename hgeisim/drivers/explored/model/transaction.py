"""One atomic step of a context: an operation merged with those whose order no other context sees.

The order of most operations of two contexts does not matter.  An operation moves right if other
contexts could do just before it whatever they do just after it: it takes something from them.  It
moves left in the opposite case, when it gives something back, and both ways when it touches nothing
that they care about (`Contention`).  So a step consists of any number of operations that move
right, one that moves nowhere, and any number that move left.  Every schedule of single operations
is equivalent to one of such steps: a context whose fixed operation never came need not have done
what it did before that, and what is left to do after it can be done immediately (Lipton,
"Reduction: a method of proving properties of parallel programs", CACM 18, 1975).  Only fixed
operations write what state checks watch, so the checks see everything; the one exception is a
lock's `inside`, and while no context is inside they report more, not less.

No deadlock is lost.  If a context hangs while it holds something that it took within a step, others
may wait for that; but if the step went through as a whole, no context would see it holding
anything.  So a step that took a lock ends before the next operation that may wait, and immediately
if an interrupt may take the HART away.  Waiting itself moves right: joining a queue earlier changes
nothing for others, except for a HART that was taken away in the queue, and that may be taken from
the owner as well.

Without a `Contention` nothing is merged: each operation is a step of its own.  With one, a step
that touches only cells that no other context writes, or none at all, commutes with every step of
the others; so does one under a lock that every context holds when it touches them.  The cells that
a context may touch are known from the steps it was seen to make, and from what it looked at while
it waited: what it waits for may come and go within a step of another.  A search that relies on a
cell being uncontended is valid if the cell is still uncontended at its end; otherwise it starts
again with what it has learned.  (Suppose the search missed a step by which another context contends
for such a cell.  Take the first such step of a schedule: up to it every context kept to its own
cells, so that schedule is equivalent to one that was searched, in which the same context makes the
same step.)

Two kinds of cells are never private to a context.  A cell that a state check watches may be read
unnoticed, but each write is an event that must not be hidden among others.  The cells by which this
driver decides, and which it writes itself, belong to all contexts.
"""

from __future__ import annotations

from typing import TypeAlias

from hgeisim.checks.finding import Finding, Moment, entry_function
from hgeisim.drivers.explored.model.automaton import REST, Held, Node, held_after
from hgeisim.drivers.explored.model.contexts import Contexts, Placement
from hgeisim.drivers.explored.model.step_checks import StepAsker
from hgeisim.drivers.path_failure import unbalanced
from hgeisim.machine.hang import Endless
from hgeisim.machine.ipi import Ipi
from hgeisim.machine.kernel_name import subject
from hgeisim.machine.ops import BOUNDARY, LEFT, RIGHT, Try, WarnOn
from hgeisim.machine.schedule import RunOn
from hgeisim.machine.shared import addresses

Accesses: TypeAlias = dict[int, bool]
"""Cells that were touched, and whether they were written."""


class Contention:
    """The users of each cell, as bit masks of contexts, and the locks that protect it.

    `watched` are the cells that state checks look at, `control` those by which the driver decides
    which contexts may step, `handed` those that one context hands to another and does not touch
    until they come back.  `relied` are the cells that steps took for uncontended, and `wrong` is
    set once one of them is contended after all; `lessons` counts the facts learned.
    """

    def __init__(self, contexts: Contexts, watched: frozenset[int]) -> None:
        cells = len(contexts.start)
        self.watched, self.control = watched, frozenset(contexts.control())
        self.handed = contexts.handed()
        self.readers, self.writers = [0] * cells, [0] * cells
        self.locks: list[frozenset[str] | None] = [None] * cells
        self.relied: set[int] = set()
        self.wrong = False
        self.lessons = 0

    def note(self, slot: int, accesses: Accesses, held: Held) -> None:
        """Learn from a step of a context that held some locks."""
        for address, written in accesses.items():
            users = self.writers if written else self.readers
            locks = frozenset(name for name, exclusive in held if exclusive or not written)
            known = self.locks[address]
            fewer = locks if known is None else known & locks
            if users[address] >> slot & 1 and fewer == known:
                continue
            users[address] |= 1 << slot
            self.locks[address] = fewer
            self.lessons += 1
            if address in self.relied and not self.is_uncontended(address, False):
                self.wrong = True

    def rely_on(self, accesses: Accesses) -> bool:
        """Whether no other context cares about accesses that were noted; if so, that is relied on
        from now on."""
        if not all(self.is_uncontended(address, written) for address, written in accesses.items()):
            return False
        self.relied.update(accesses)
        return True

    def is_uncontended(self, address: int, written: bool) -> bool:
        """Whether no other context contends for a cell that is read or written."""
        if address in self.control or (written and address in self.watched):
            return False
        writers = self.writers[address]
        if not writers or address in self.handed or self.locks[address]:
            return True
        users = writers | self.readers[address]
        return not users & (users - 1)

    def start_again(self) -> None:
        """Rely on nothing any more."""
        self.relied.clear()
        self.wrong = False


LONGEST = 64
"""Operations that are merged into one step at most, so that an endless loop has steps as well."""
STRAIGHT_LONGEST = 500
"""Operations of one function in a row, each in a new local state; more count as endless."""
BOTH = "both"
"""How an operation moves that moves in either direction."""
Outcome: TypeAlias = tuple[int, tuple[Finding, ...]]
"""The next local state of the context, and the findings of the step."""


class Transaction:
    """A step of one context in the present memory.

    `length` counts the merged operations, and `mover` says how the last one moves.  `waited` says
    whether that one might have had to wait for other contexts, `took` whether any has taken a lock
    from them.  `depth` counts what kept the context on its HART before the last operation.
    """

    def __init__(
        self, placement: Placement, asker: StepAsker, slot: int, contention: Contention | None
    ) -> None:
        self.placement, self.memory, self.slot = placement, placement.memory, slot
        self.asker, self.contention = asker, contention
        self.automaton = placement.automata[slot]
        self.who = self.automaton.runner
        self.findings: tuple[Finding, ...] = ()
        self.length = 0
        self.mover = BOUNDARY
        self.waited = self.took = False
        self.depth = 0

    def run(self, node: Node, here: int) -> Outcome | None:
        """Begin, wait for, or complete the operation of a node, and go on; None if it cannot."""
        there = self._perform(node, here)
        return None if there is None else self._go_on(there)

    def start(self, node: Node) -> Outcome:
        """Begin an interrupt's path: up to its first operation."""
        self.memory.touched, self.length = {}, 1
        there = self._resume(node)
        self.mover = BOUNDARY
        return self._go_on(there)

    def _go_on(self, there: int) -> Outcome:
        """Merge as many operations as may be merged."""
        taking = self.mover in (RIGHT, BOTH)
        while self.contention is not None and there != REST and self.length < LONGEST:
            node = self.automaton.node(there)
            if self._ends_before(node):
                break
            further = self._try(node, there, taking)
            if further is None:
                break
            taking = taking and self.mover in (RIGHT, BOTH)
            there = further
        return there, self.findings

    def _ends_before(self, node: Node) -> bool:
        """Whether other contexts have to see the context at this node, whatever comes next."""
        op = node.op
        if node.waiting or op.scheduling or isinstance(op, RunOn):
            return True
        if op.voluntary and not self.placement.preemptible_kernel:
            return True
        if self.placement.idle and self.placement.is_outside(node):
            return True
        # An interrupt may take the HART away while the context holds what it took.
        return self.took and not self.who.undisturbed()

    def _try(self, node: Node, here: int, taking: bool) -> int | None:
        """Perform one more operation, and undo it if it has to be a step of its own.

        The cells that it read stay inputs: the length of the step depends on them.
        """
        memory = self.memory
        before = list(memory.cells), dict(memory.writes)
        findings, length, took = self.findings, self.length, self.took
        there = self._perform(node, here)
        moves = taking or self.mover in (LEFT, BOTH)
        if there is not None and moves and not (took and self.waited):
            return there
        memory.cells[:], memory.writes = before
        self.findings, self.length = findings, length
        return None

    def _perform(self, node: Node, here: int) -> int | None:
        """Begin, wait for, or complete an operation; return the next local state.

        An operation that proceeds without becoming ready stays in its local state.
        """
        who, op = self.who, node.op
        self.depth = self._held_off()
        self.memory.touched, self.mover = {}, BOUNDARY
        self.waited = op.waits or op.voluntary
        self.length += 1
        if node.straight > STRAIGHT_LONGEST:
            text = (
                f"{who.name} has made {STRAIGHT_LONGEST} steps in it, each in another local state"
            )
            raise Endless(text, node.functions)
        if op.waits and not node.waiting:
            op.begin(who)
            if isinstance(op, Ipi):  # it arrives immediately; the target may take its time
                for hart in who.harts:
                    if who.ipi_wait >> hart.id & 1:
                        hart.queue_call(who.number)
            if not op.ready(who):
                self._note_wait(node)
                return self.automaton.wait(here)
        elif not op.ready(who):
            if not op.proceed(who):
                self._note_wait(node)
                return None
            if not op.ready(who):
                return here
        if isinstance(op, Try) and not op.lock.tried:
            # Steps that relied on a lock that no context tries are no longer valid.
            op.lock.tried = True
            if self.contention is not None:
                self.contention.wrong = True
        mover = op.mover(who)
        op.end(who)
        self.placement.complete(who, op)
        if self.placement.k.watch.done[type(op)]:
            self.findings += self.asker.completed(Moment(who, op, *self._functions(node)))
        return self._resume(node, mover)

    def _resume(self, node: Node, mover: str = BOUNDARY) -> int:
        """Let the path go on to its next operation, watched by the checks."""
        by_op = self.memory.touched
        there = self.automaton.advance(node, self.memory, self.asker.revived)
        by_path = self.memory.touched
        self.findings += tuple(unbalanced(self.who, left) for left in self.automaton.left)
        touched = by_op | by_path
        writes = [address for address, written in touched.items() if written]
        moment = Moment(self.who, node.op, *self._functions(node), touched.keys(), writes)
        self.findings += self.asker.accessed(moment, self.automaton.kept.locks())
        if self.contention is not None:
            self.mover = self._mover(self.contention, node, mover, by_op, by_path)
            if there == REST and self.who.id in self.placement.movers:
                self.mover = BOUNDARY  # from now on the task cannot be preempted and moved
        return there

    def _functions(self, node: Node) -> tuple[str, str]:
        """The innermost function of the kernel, and the outermost one of AIA."""
        function = node.shown[-1] if node.shown else self.automaton.name
        if type(node.op) is WarnOn:
            function = subject(self.automaton.kernel, node.functions)
        return function, entry_function(node.shown, function)

    def _mover(
        self, contention: Contention, node: Node, mover: str, by_op: Accesses, by_path: Accesses
    ) -> str:
        """How an operation moves together with what the path did after it.

        If no other context touches its cells, it cannot have to wait, and all that matters is
        whether it turns interrupts or preemption off or on.
        """
        self.memory.touched = {}
        depth = self._held_off()
        by_path = self._shared(by_path, depth)
        contention.note(self.slot, by_path, held_after(node.held, node.op))
        by_op = self._note(contention, node, by_op, self.depth or depth)
        if not node.op.scheduling and contention.rely_on(by_op):
            self.waited = False
            mover = BOTH if depth == self.depth else RIGHT if depth > self.depth else LEFT
        elif self.waited and mover == RIGHT:
            self.took = True
        return mover if contention.rely_on(by_path) else BOUNDARY

    def _note_wait(self, node: Node) -> None:
        """Learn what a context looks at while it waits: it may wait for ever, since what it waits
        for comes and goes within steps of others."""
        if self.contention is not None:
            self._note(self.contention, node, self.memory.touched, self.depth)

    def _note(self, contention: Contention, node: Node, by_op: Accesses, depth: int) -> Accesses:
        """Learn from an operation; returns its accesses to what others could see."""
        counts = frozenset(addresses(self.who.hart, "irq_off", "preempt_count"))
        by_op = {a: w for a, w in self._shared(by_op, depth).items() if a not in counts}
        contention.note(self.slot, by_op, node.held)
        return by_op

    def _shared(self, accesses: Accesses, depth: int) -> Accesses:
        """Accesses without those to the context's own cells, while it cannot be moved."""
        if not depth:
            return accesses
        own = frozenset(addresses(self.who, "cpu", "ticket", "phase", "ipi_mask", "got"))
        return {a: written for a, written in accesses.items() if a not in own}

    def _held_off(self) -> int:
        """Count what keeps the context on its HART."""
        hart = self.who.hart
        return hart.irq_off + hart.preempt_count + hart.hardirq
