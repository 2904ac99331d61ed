"""A context of execution, learned as a finite automaton.

Running a Python generator one step costs microseconds, and a generator cannot be copied.  But a
path is deterministic: from one local state, the same values read lead to the same writes and the
same next local state.  So each step is executed once and remembered, in a tree that asks for the
values of the cells in the order in which the step read them; a search then walks trees and never
runs the Python code of a path again.

A local state (`Node`) is identified by its `frames.frame_key`, the operation that the path yielded,
and the locks that the context holds, as far as they protect anything: those that no path
initialises again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import CodeType
from typing import Any, TypeAlias

from hgeisim.drivers.explored.model.frames import (
    SeamError,
    Standing,
    functions,
    kernel_functions,
    standing,
)
from hgeisim.drivers.path_failure import NoOperation
from hgeisim.errors import ModelError
from hgeisim.machine.balance import NOTHING, Balance, Call, Left, frames, unbalanced_returns
from hgeisim.machine.ops import STEP, Op, Path
from hgeisim.machine.rwlock import ReadLock, ReadUnlock, WriteLock, WriteUnlock
from hgeisim.machine.shared import Memory
from hgeisim.machine.spinlock import Acquire, Release
from hgeisim.machine.task import Runner

Held: TypeAlias = tuple[tuple[str, bool], ...]
"""The locks that a context holds: their names, and whether it may write under them."""


def held_after(held: Held, op: Op) -> Held:
    """The locks held after an operation is complete, without those that some path initialises
    again, which protect nothing."""
    match op:
        case Acquire(lock, _):
            return (*held, (lock.name, True)) if lock.steady else held
        case ReadLock(lock, _):
            return (*held, (lock.name, False))
        case WriteLock(lock, _):
            return (*held, (lock.name, True))
        case Release(lock, _) | ReadUnlock(lock, _) | WriteUnlock(lock, _):
            return tuple(entry for entry in held if entry[0] != lock.name)
    return held


MakePath: TypeAlias = Callable[[], Path[Any]]
Taken: TypeAlias = tuple[CodeType, int, Op]
"""A step that was made: the function, the instruction at which it was suspended, the operation."""
REST = 0
"""The local state of a finished task and of an interrupt that is not being handled."""


@dataclass(frozen=True)
class Node:
    """A local state: about to complete `op`; `waiting` if that has begun.

    `held` are the locks that the context holds there.  `origin` makes the path anew, and `history`
    has the memories that led here, so that the path can be brought to this state again.
    `functions` is its call chain in the model, `shown` the one by the names of the kernel.
    `balance` is what the path keeps before the operation, `began` what it kept when each of its
    functions began, and `reported` what a function has left out of balance that is reported
    already.  `straight` counts the operations since the path has called or left a function.
    `live` holds a path in this state, if there is one; going on with it takes it away.
    """

    op: Op
    waiting: bool
    origin: MakePath
    history: tuple[tuple[int, ...], ...]
    functions: tuple[str, ...]
    shown: tuple[str, ...] = ()
    held: Held = ()
    balance: Balance = NOTHING
    began: tuple[Balance, ...] = ()
    reported: Balance = NOTHING
    straight: int = 0
    live: list[Standing] = field(default_factory=list, compare=False)

    def waits_at(self, op: Op) -> bool:
        """Whether the context has begun to wait in an operation."""
        return self.waiting and self.op == op


@dataclass
class Automaton:
    """The local states of one context; `location` is the memory cell that holds its index.

    `left` are the functions of the `kernel` that its last step left out of balance, and `kept` is
    what its path kept during that step.  `taken` are all steps that its paths have ever made.
    """

    name: str
    runner: Runner
    location: int
    kernel: type = object
    left: list[Left] = field(default_factory=list)
    kept: Balance = NOTHING
    taken: set[Taken] = field(default_factory=set)
    nodes: list[Node | None] = field(default_factory=lambda: [None])
    index: dict[Any, int] = field(default_factory=dict)

    def start(self, origin: MakePath) -> int:
        """Add the state before the first step of a path."""
        return self._add("start", start_of(origin))

    def wait(self, here: int) -> int:
        """Return the state after `here` has begun its operation and must wait."""
        node = self.node(here)
        return self._add(("wait", here), replace(node, waiting=True))

    def node(self, here: int) -> Node:
        """Return a state other than `REST`."""
        node = self.nodes[here]
        if node is None:
            raise ModelError(f"{self.name} is at rest")
        return node

    def generators(self, node: Node, memory: Memory) -> tuple[Any, ...]:
        """The generators of a path in a local state, outermost first."""
        return (node.live[0] if node.live else _revive(node, memory, self.runner)).stack

    def advance(
        self, node: Node, memory: Memory, revived: Callable[[], None] = lambda: None
    ) -> int:
        """Run the path from `node` to its next operation, on the present memory.

        Calls `revived` just before.  Returns the next local state; `REST` if the path has finished.
        """
        seen = tuple(memory.cells)
        before = node.live.pop() if node.live else _revive(node, memory, self.runner)
        memory.touched = {}
        revived()
        path, innermost = before.stack[0], before.stack[-1]
        self.taken.add((innermost.gi_code, innermost.gi_frame.f_lasti, node.op))
        calls = [Call(*call) for call in zip(before.stack, node.began, strict=False)]
        answer = node.op.answer(self.runner)
        balance = self.kept = node.balance.after(node.op, answer)
        try:
            op = path.send(answer)
        except StopIteration:
            _, self.left = unbalanced_returns(self.kernel, calls, (), balance, node.reported)
            return REST
        if not isinstance(op, Op):
            text = f"{self.name} yields {op!r}, which is not an operation"
            raise NoOperation(text, functions(path))
        there = standing(path, before)
        now, self.left = unbalanced_returns(self.kernel, calls, there.stack, balance, node.reported)
        same = [call.frame for call in now] == [call.frame for call in calls]
        made = replace(
            node,
            op=op,
            waiting=False,
            history=(*node.history, seen),
            functions=functions(path),
            shown=kernel_functions(self.kernel, path),
            held=held_after(node.held, node.op),
            balance=balance,
            began=tuple(call.began for call in now),
            reported=self.left[-1].balance if self.left else node.reported,
            straight=node.straight + 1 if same else 0,
            live=[there],
        )
        return self._add((there.keys, op, made.held), made)

    def _add(self, key: Any, node: Node) -> int:
        known = self.index.get(key)
        if known is None:
            known = self.index[key] = len(self.nodes)
            self.nodes.append(node)
        elif node.live and not self.node(known).live:
            self.node(known).live.append(node.live.pop())
        return known


def start_of(origin: MakePath) -> Node:
    """The state before the first step of a path."""
    return Node(STEP, False, origin, (), ())


def _revive(node: Node, memory: Memory, who: Runner) -> Standing:
    """Make a path anew and bring it to a node, along the memories that led there."""
    present = memory.cells, memory.reads, memory.writes
    memory.touched = {}
    path, op = node.origin(), Op()
    for cells in node.history:
        memory.begin_step(list(cells))
        try:
            op = path.send(op.answer(who))
        except StopIteration:
            raise SeamError(f"{node.functions}: the path did not repeat itself") from None
    memory.cells, memory.reads, memory.writes = present
    return Standing(tuple(frames(path)))
