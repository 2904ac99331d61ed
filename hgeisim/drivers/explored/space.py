"""The state space: successors of a state, by table look-up where the step is known.

A step of a context is remembered as a decision tree.  A branch is `(address, {code: subtree})`; a
leaf is `(-1, writes, findings, changed)` with the writes as (address, code) pairs, `None` when the
context cannot step; `changed` tells whether a state check has to look again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Any, TypeAlias

from hgeisim.checks.finding import Finding, StateCheck
from hgeisim.drivers.explored.codebook import Codebook
from hgeisim.drivers.explored.frames import SeamError
from hgeisim.drivers.explored.system import System
from hgeisim.machine.shared import addresses

Tree: TypeAlias = tuple[Any, ...]
Writes: TypeAlias = tuple[tuple[int, int], ...]
Successor: TypeAlias = tuple[int, bytes, tuple[Finding, ...]]


class Space:
    """All that is reachable from the present memory of a sealed `System`."""

    def __init__(self, system: System, checks: Sequence[StateCheck] = ()) -> None:
        self.system = system
        self.codebook = Codebook(system.memory)
        self.locations = [automaton.location for automaton in system.automata]
        self.trees: list[dict[int, Tree]] = [{} for _ in self.locations]
        self.invariants = Verdicts(self, checks)
        self.steps_learned = 0

    def initial(self) -> bytes:
        """The state to start from."""
        return self.codebook.initial()

    def successors(self, state: bytes) -> Iterator[Successor]:
        """Yield (context, next state, findings) of each context that can step."""
        for slot, (location, trees) in enumerate(zip(self.locations, self.trees, strict=True)):
            tree = trees.get(state[location])
            while tree is not None and tree[0] >= 0:
                tree = tree[1].get(state[tree[0]])
            if tree is None:
                tree = self._learn(slot, state)
            writes = tree[1]
            if writes is not None:
                after = bytearray(state)
                for address, code in writes:
                    after[address] = code
                yield slot, bytes(after), tree[2]

    def pending(self, state: bytes) -> list[int]:
        """The contexts that are not at rest."""
        cells = self.codebook.decode(state)
        return [slot for slot, location in enumerate(self.locations) if cells[location]]

    def _learn(self, slot: int, state: bytes) -> Tree:
        """Make the step for real, once, and plant what it read and wrote."""
        memory, location = self.system.memory, self.locations[slot]
        cells = self.codebook.decode(state)
        self.steps_learned += 1
        memory.begin_step(list(cells))
        outcome = self.system.attempt(slot, cells[location])
        leaf: Tree
        if outcome is None:
            leaf = (-1, None, ())
        else:
            memory.write(location, outcome[0])
            leaf = (-1, self._writes(), outcome[1])
        reads = [address for address in memory.reads if address != location]
        self._plant(slot, state, reads, leaf)
        return leaf

    def _writes(self) -> Writes:
        memory = self.system.memory
        changed = (
            (address, value)
            for address, value in sorted(memory.writes.items())
            if memory.reads.get(address) != value
        )
        return tuple((address, self.codebook.code(address, value)) for address, value in changed)

    def _plant(self, slot: int, state: bytes, reads: list[int], leaf: Tree) -> None:
        trees: dict[int, Tree] = self.trees[slot]
        key = state[self.locations[slot]]
        for address in reads:
            branch = trees.setdefault(key, (address, {}))
            if branch[0] != address:
                name = self.system.automata[slot].name
                raise SeamError(f"{name}: its step depends on something that is not shared state")
            trees, key = branch[1], state[address]
        trees[key] = leaf


class Verdicts:
    """What the state checks say, remembered for each combination of the cells they look at."""

    def __init__(self, space: Space, checks: Sequence[StateCheck]) -> None:
        self.space, self.checks = space, checks
        k = space.system.k
        watched = sorted({a for check in checks for s in check.watches(k) for a in addresses(s)})
        self.watched = watched
        self.key = itemgetter(*watched) if len(watched) > 1 else lambda state: state
        self.known: dict[Any, tuple[Finding, ...]] = {}

    def of(self, state: bytes) -> tuple[Finding, ...]:
        """The findings of a state."""
        key = self.key(state)
        found = self.known.get(key)
        if found is None:
            found = self.known[key] = self.ask(self.checks, state)
        return found

    def ask(self, checks: Sequence[StateCheck], state: bytes) -> tuple[Finding, ...]:
        """Let checks look at a state."""
        system = self.space.system
        system.memory.begin_step(self.space.codebook.decode(state))
        return tuple(finding for check in checks for finding in check.state(system.k))
