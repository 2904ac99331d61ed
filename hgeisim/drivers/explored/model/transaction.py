"""One atomic step of a context: an operation, and those that nobody can tell apart from it.

The order of most operations of two contexts does not matter.  An operation moves right if what
others do just after it, they could as well do just before it: it takes something from them.  It
moves left in the opposite case, when it gives something back, and both ways when it touches nothing
that they care about (`Contention`).  So a step is any number of operations that move right, one
that moves nowhere, and any number that move left.  Every schedule of single operations is as good
as one of such steps: what a context did before its fixed operation, when that never came, it need
not have done, and what is left to do after it can be done immediately (Lipton, "Reduction: a method
of proving properties of parallel programs", CACM 18, 1975).  What state checks watch is written by
fixed operations only, so they see all that there is to see; the one exception is a lock's `inside`,
and while nobody is inside they say more, not less.

No deadlock is lost.  Where a context hangs, holding what it took within a step, others may wait for
that; but if the step went through as a whole, nobody would see it holding anything.  So a step
that took a lock ends before the next operation that may wait, and immediately if an interrupt may
take the HART away.  Waiting itself moves right: to stand in a queue earlier changes nothing for
others, save for a HART that was taken away in the queue, and then it may be taken from the owner,
too.

Without a `Contention` nothing is merged: each operation is a step of its own.  With one, a step
that touches only cells that nobody else writes, or that nobody writes at all, commutes with
every step of the others; so does one under a lock that everybody holds who touches them.  What a
context may touch is known from the steps it was seen to make.  A search that relies on a cell being
uncontended is valid if, at its end, still nobody contends for it; otherwise it starts again, and
knows more.  (Suppose the search missed a step by which another context contends for such a cell.
Take the first such step of a schedule: up to it every context kept to its own cells, so that
schedule is equivalent to one that was searched, in which the same context makes the same step.)

Two kinds of cells are never quite one's own.  What a state check watches may be read without
anybody noticing, but each write is an event that must not be hidden among others.  What this driver
decides by, and writes itself, is everybody's.
"""

from __future__ import annotations

from typing import TypeAlias

from hgeisim.checks.finding import Finding, Moment, entry_function
from hgeisim.drivers.explored.model.automaton import REST, Held, Node, held_after
from hgeisim.drivers.explored.model.contexts import Contexts, Placement
from hgeisim.drivers.explored.model.step_checks import StepAsker
from hgeisim.drivers.path_failure import Endless, unbalanced
from hgeisim.machine.ipi import Ipi
from hgeisim.machine.ops import BOUNDARY, LEFT, RIGHT, Op, Try
from hgeisim.machine.schedule import RunOn
from hgeisim.machine.shared import addresses

Accesses: TypeAlias = dict[int, bool]
"""Cells that were touched, and whether they were written."""


class Contention:
    """Users of each cell, as bit masks of contexts, and the locks that protect it.

    `watched` are the cells that state checks look at, `control` those by which the driver decides
    who may step, `handed` those that one context hands to another and does not touch until they
    come back.  `wrong` is true once something does not hold that was relied on; `lessons` counts
    what was learned.
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
        """A context made a step, and held these locks."""
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
            if address in self.relied and not self.calm(address, False):
                self.wrong = True

    def alone(self, accesses: Accesses) -> bool:
        """Tell whether nobody else cares about accesses that were noted, and remember that it was
        said."""
        if not all(self.calm(address, written) for address, written in accesses.items()):
            return False
        self.relied.update(accesses)
        return True

    def calm(self, address: int, written: bool) -> bool:
        """Tell whether nobody contends for a cell that is read, or written."""
        if address in self.control or (written and address in self.watched):
            return False
        writers = self.writers[address]
        if not writers or address in self.handed or self.locks[address]:
            return True
        users = writers | self.readers[address]
        return not users & (users - 1)

    def start_again(self) -> None:
        """Nothing is relied on any more."""
        self.relied.clear()
        self.wrong = False


LONGEST = 64
"""Operations that are merged into one step, so that a loop without end has steps, too."""
STRAIGHT_LONGEST = 500
"""Operations of one function in a row, each in another local state; more do not come to an end."""
BOTH = "both"
"""It moves in either direction."""
Outcome: TypeAlias = tuple[int, tuple[Finding, ...]]
"""The next local state of the context, and what the checks found."""


class Transaction:
    """A step of one context in the present memory.

    `length` counts what it merged and `mover` tells how the last operation moves.  `waited` tells
    whether that might have had to wait for others, `took` whether one so far took a lock from them.
    `depth` counts what kept the context on its HART before the last operation.
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
        """Begin, wait for, or complete the operation at which the context stands, and go on.

        None when it cannot step.
        """
        there = self._perform(node, here)
        if there is None:
            return None
        return self._go_on(there)

    def start(self, node: Node) -> Outcome:
        """Begin an interrupt's path: up to its first operation."""
        self.memory.touched, self.length = {}, 1
        there = self._resume(node)
        self.mover = BOUNDARY
        return self._go_on(there)

    def _go_on(self, there: int) -> Outcome:
        """Merge as much as may be merged."""
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
        """Tell whether the context has to be seen standing here, whatever comes next."""
        op = node.op
        if node.waiting or op.scheduling or isinstance(op, RunOn):
            return True
        if op.voluntary and not self.placement.preemptible_kernel:
            return True
        return self.took and not self.who.undisturbed()

    def _try(self, node: Node, here: int, taking: bool) -> int | None:
        """Go one operation further, and back again when that is a step of its own.

        What was read on the way stays an input: the length of the step depends on it.
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
        """Begin, wait for, or complete an operation; returns the next local state.

        What proceeds and is not ready then goes on waiting where it is.
        """
        who, op = self.who, node.op
        self.depth = self._held_off()
        self.memory.touched, self.mover = {}, BOUNDARY
        self.waited = may_wait(op)
        self.length += 1
        if node.straight > STRAIGHT_LONGEST:
            text = (
                f"{who.name} has made {STRAIGHT_LONGEST} steps in it, each in another local state"
            )
            raise Endless(text, node.functions)
        if op.waits and not node.waiting:
            op.begin(who)
            if isinstance(op, Ipi):
                self._send()
            if not op.ready(who):
                return self.automaton.wait(here)
        elif not op.ready(who):
            if not op.proceed(who):
                return None
            if not op.ready(who):
                return here
        mover = self._how_it_moves(op)
        op.end(who)
        self.placement.complete(who, op)
        if self.placement.k.watch.done[type(op)]:
            self.findings += self.asker.completed(Moment(who, op, *self._functions(node)))
        return self._resume(node, mover)

    def _how_it_moves(self, op: Op) -> str:
        """How an operation moves; what relied on a lock that nobody tries is forgotten once
        somebody does."""
        if isinstance(op, Try) and not op.lock.tried:
            op.lock.tried = True
            if self.contention is not None:
                self.contention.wrong = True
        return op.mover(self.who)

    def _send(self) -> None:
        """IPIs arrive at once: the target may take its time."""
        for hart in self.who.harts:
            if self.who.ipi_wait >> hart.id & 1:
                hart.queue_call(self.who.number)

    def _resume(self, node: Node, mover: str = BOUNDARY) -> int:
        """Let the path go on to its next operation, with the checks looking on."""
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
                self.mover = BOUNDARY
        return there

    def _functions(self, node: Node) -> tuple[str, str]:
        """The innermost function of the kernel, and the outermost one of AIA."""
        function = node.functions[-1] if node.functions else self.automaton.name
        return function, entry_function(node.functions, function)

    def _mover(
        self, contention: Contention, node: Node, mover: str, by_op: Accesses, by_path: Accesses
    ) -> str:
        """How an operation moves, with what the path did after it.

        Where nobody else touches what it does, all that matters is whether it keeps interrupts or
        preemption off or lets them in, and it cannot have to wait.
        """
        self.memory.touched = {}
        depth = self._held_off()
        by_op, by_path = self._shared(by_op, self.depth or depth), self._shared(by_path, depth)
        counts = frozenset(addresses(self.who.hart, "irq_off", "preempt_count"))
        by_op = {a: written for a, written in by_op.items() if a not in counts}
        contention.note(self.slot, by_path, held_after(node.held, node.op))
        contention.note(self.slot, by_op, node.held)
        if not node.op.scheduling and contention.alone(by_op):
            self.waited = False
            mover = BOTH if depth == self.depth else RIGHT if depth > self.depth else LEFT
        elif self.waited and mover == RIGHT:
            self.took = True
        return mover if contention.alone(by_path) else BOUNDARY

    def _shared(self, accesses: Accesses, depth: int) -> Accesses:
        """Accesses without those to the context's own cells, while nobody can move it."""
        if not depth:
            return accesses
        own = frozenset(addresses(self.who, "cpu", "ticket", "phase", "ipi_mask", "got"))
        return {a: written for a, written in accesses.items() if a not in own}

    def _held_off(self) -> int:
        """Count what keeps the context on its HART."""
        hart = self.who.hart
        return hart.irq_off + hart.preempt_count + hart.hardirq


def may_wait(op: Op) -> bool:
    """Tell whether an operation may have to wait."""
    return op.waits or op.voluntary
