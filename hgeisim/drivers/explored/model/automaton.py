"""A context of execution, learned as a finite automaton.

Running a Python generator one step costs microseconds and it cannot be copied.  But a path is
deterministic: from one local state, the same values read lead to the same writes and the same next
local state.  So each step is executed once and remembered, in a tree that asks for the values of
the cells in the order in which the step read them; a search then walks trees and never runs Python
code of a path again.

A local state (`Node`) is what `frames.frame_key` says, with the operation the path yielded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from hgeisim.drivers.explored.model.frames import SeamError, frame_key, functions
from hgeisim.drivers.explored.model.held import Held, held_after
from hgeisim.errors import ModelError
from hgeisim.machine.ops import STEP, Op, Path
from hgeisim.machine.shared import Memory
from hgeisim.machine.task import Runner

MakePath: TypeAlias = Callable[[], Path[Any]]
REST = 0
"""The local state of a finished task and of an interrupt that is not being handled."""


@dataclass(frozen=True)
class Node:
    """A local state: about to complete `op`; `waiting` when it has begun.

    `held` are the locks that the context holds there.  `origin` makes the path anew, `history` are
    the memories that led here, so that the path can be brought to this state again.
    """

    op: Op
    waiting: bool
    origin: MakePath
    history: tuple[tuple[int, ...], ...]
    functions: tuple[str, ...]
    held: Held = ()


@dataclass
class Automaton:
    """The local states of one context; `location` is the memory cell that holds its index."""

    name: str
    runner: Runner
    location: int
    nodes: list[Node | None] = field(default_factory=lambda: [None])
    index: dict[Any, int] = field(default_factory=dict)

    def start(self, origin: MakePath) -> int:
        """Add the state before the first step of a path."""
        return self._add("start", start_of(origin))

    def wait(self, here: int) -> int:
        """Return the state after `here` has begun its operation and must wait."""
        node = self.node(here)
        made = Node(node.op, True, node.origin, node.history, node.functions, node.held)
        return self._add(("wait", here), made)

    def node(self, here: int) -> Node:
        """Return a state other than `REST`."""
        node = self.nodes[here]
        if node is None:
            raise ModelError(f"{self.name} is at rest")
        return node

    def advance(self, node: Node, memory: Memory) -> int:
        """Run the path from `node` to its next operation, on the present memory.

        Returns the next local state, `REST` when the path has finished.
        """
        seen = tuple(memory.cells)
        present = memory.cells, memory.reads, memory.writes
        memory.touched = {}
        path = _revive(node, memory, self.runner)
        memory.cells, memory.reads, memory.writes = present
        memory.touched = {}
        try:
            op = path.send(node.op.answer(self.runner))
        except StopIteration:
            return REST
        history = (*node.history, seen)
        held = held_after(node.held, node.op)
        made = Node(op, False, node.origin, history, functions(path), held)
        return self._add((frame_key(path), op, held), made)

    def _add(self, key: Any, node: Node) -> int:
        known = self.index.get(key)
        if known is None:
            known = self.index[key] = len(self.nodes)
            self.nodes.append(node)
        return known


def start_of(origin: MakePath) -> Node:
    """The state before the first step of a path."""
    return Node(STEP, False, origin, (), ())


def _revive(node: Node, memory: Memory, who: Runner) -> Path[Any]:
    path, op = node.origin(), Op()
    for cells in node.history:
        memory.begin_step(list(cells))
        try:
            op = path.send(op.answer(who))
        except StopIteration:
            raise SeamError(f"{node.functions}: the path did not repeat itself") from None
    return path
