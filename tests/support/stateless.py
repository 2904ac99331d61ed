"""The real generators, never memoised: what every automaton has to agree with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hgeisim.drivers.explored.explored_scenario import system_of
from hgeisim.drivers.explored.model.automaton import REST, Automaton, Node
from hgeisim.drivers.explored.model.frames import functions
from hgeisim.drivers.explored.model.system import System
from hgeisim.machine.ops import Path
from hgeisim.machine.shared import Memory
from hgeisim.scenario.schema import Scenario


class LiveAutomaton(Automaton):
    """A context that keeps its generator and goes on with it; each local state is a new one."""

    path: Path[Any] | None = None

    def advance(
        self, node: Node, memory: Memory, revived: Callable[[], None] = lambda: None
    ) -> int:
        """Resume the one generator; nothing is remembered."""
        if not node.functions or self.path is None:
            self.path = node.origin()
            for _ in node.history:  # a task may start some way into its path
                next(self.path)
        try:
            op = self.path.send(node.op.answer(self.runner))
        except StopIteration:
            return REST
        self.nodes.append(Node(op, False, node.origin, (), functions(self.path)))
        return len(self.nodes) - 1

    def wait(self, here: int) -> int:
        """A new local state for the wait, too."""
        node = self.node(here)
        self.nodes.append(Node(node.op, True, node.origin, node.history, node.functions))
        return len(self.nodes) - 1


class Live:
    """A system of live contexts that is led along a schedule and cannot go back."""

    def __init__(self, system: System) -> None:
        self.system, self.memory = system, system.memory
        for automaton in system.automata:
            automaton.__class__ = LiveAutomaton
        self.locations = [automaton.location for automaton in system.automata]

    def step(self, slot: int) -> bool:
        """Let a context step; False, and nothing changed, when it cannot."""
        before = list(self.memory.cells)
        self.memory.begin_step(list(before))
        outcome = self.system.attempt(slot, before[self.locations[slot]])
        if outcome is None:
            self.memory.begin_step(before)
            return False
        self.memory.write(self.locations[slot], outcome[0])
        return True

    def shared(self) -> list[int]:
        """All cells but the local states, whose numbers mean nothing."""
        return without(self.memory.cells, self.locations)

    def standing_at(self) -> list[str]:
        """The operation at which each context stands."""
        return [operation(a, self.memory.cells[a.location]) for a in self.system.automata]


def live(scenario: Scenario) -> Live:
    """The contexts of a scenario, live."""
    return Live(system_of(scenario))


def operation(automaton: Automaton, here: int) -> str:
    """The next operation of a local state, as text."""
    node = automaton.nodes[here]
    return "rest" if node is None else f"{node.functions} {node.op} {node.waiting}"


def without(cells: list[int], addresses: list[int]) -> list[int]:
    """The cells at all other addresses."""
    left_out = frozenset(addresses)
    return [value for address, value in enumerate(cells) if address not in left_out]
