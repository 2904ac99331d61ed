"""The state space: successors of a state, by table look-up where the step is known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

from hgeisim.checks.finding import Finding, StateCheck
from hgeisim.drivers.explored.answer import Answer, Writes, after, mask
from hgeisim.drivers.explored.codebook import Codebook
from hgeisim.drivers.explored.frames import SeamError
from hgeisim.drivers.explored.invariants import Invariants
from hgeisim.drivers.explored.system import System

Successor: TypeAlias = tuple[int, bytes, tuple[Finding, ...]]


class Space:
    """All that is reachable from the present memory of a sealed `System`.

    `trees` holds, for each context and the code of its local state, what it has answered so far.
    """

    def __init__(self, system: System, checks: Sequence[StateCheck] = ()) -> None:
        self.system = system
        self.codebook = Codebook(system.memory)
        self.locations = [automaton.location for automaton in system.automata]
        self.trees: list[dict[int, Any]] = [{} for _ in self.locations]
        self.invariants = Invariants(system, self.codebook, checks)
        self.steps_learned = 0
        self._reads = [0] * len(self.locations)
        self._disturbed: dict[Answer, tuple[int, ...]] = {}

    def initial(self) -> bytes:
        """The state to start from."""
        return self.codebook.initial()

    def successors(self, state: bytes) -> Iterator[Successor]:
        """Yield (context, next state, findings) of each context that can step."""
        for slot in range(len(self.locations)):
            answer = self.ask(slot, state)
            if answer.writes is not None:
                yield slot, after(state, answer.writes), answer.findings

    def ask(self, slot: int, state: bytes) -> Answer:
        """What a context would do in a state."""
        tree = self.trees[slot].get(state[self.locations[slot]])
        while type(tree) is tuple:
            tree = tree[1].get(state[tree[0]])
        answer: Answer = tree or self._learn(slot, state)
        return answer

    def answers(self, state: bytes) -> list[Answer]:
        """What each context would do in a state."""
        return [self.ask(slot, state) for slot in range(len(self.locations))]

    def answers_after(self, before: list[Answer], step: Answer, state: bytes) -> list[Answer]:
        """What each context would do in `state`, which `step` led to from where `before` held.

        The two states differ only in cells that the step wrote.  An answer that read none of them
        holds in both, so only the contexts that did read one are asked again: one or two of all.
        """
        answers, written = before.copy(), step.written
        for slot in self._disturbed.get(step) or self._disturbs(step):
            if answers[slot].reads & written:
                answers[slot] = self.ask(slot, state)
        return answers

    def pending(self, state: bytes) -> list[int]:
        """The contexts that are not at rest."""
        cells = self.codebook.decode(state)
        return [slot for slot, location in enumerate(self.locations) if cells[location]]

    def _disturbs(self, step: Answer) -> tuple[int, ...]:
        """The contexts that have ever read a cell that a step writes; no other can be disturbed."""
        slots = tuple(slot for slot, reads in enumerate(self._reads) if reads & step.written)
        self._disturbed[step] = slots
        return slots

    def _learn(self, slot: int, state: bytes) -> Answer:
        """Make the step for real, once, and plant what it read and wrote."""
        memory, location = self.system.memory, self.locations[slot]
        cells = self.codebook.decode(state)
        self.steps_learned += 1
        memory.begin_step(list(cells))
        outcome = self.system.attempt(slot, cells[location])
        inputs = [address for address in memory.reads if address != location]
        reads = mask([location, *inputs])
        if outcome is None:
            answer = Answer(reads)
        else:
            memory.write(location, outcome[0])
            answer = Answer(reads, self._writes(), outcome[1], self.invariants.watched)
        self._plant(slot, state, inputs, answer)
        return answer

    def _writes(self) -> Writes:
        memory = self.system.memory
        changed = (
            (address, value)
            for address, value in sorted(memory.writes.items())
            if memory.reads.get(address) != value
        )
        return tuple((address, self.codebook.code(address, value)) for address, value in changed)

    def _plant(self, slot: int, state: bytes, inputs: list[int], answer: Answer) -> None:
        trees: dict[int, Any] = self.trees[slot]
        key = state[self.locations[slot]]
        for address in inputs:
            branch = trees.setdefault(key, (address, {}))
            if branch[0] != address:
                name = self.system.automata[slot].name
                raise SeamError(f"{name}: its step depends on something that is not shared state")
            trees, key = branch[1], state[address]
        trees[key] = answer
        if answer.reads & ~self._reads[slot]:
            self._reads[slot] |= answer.reads
            self._disturbed.clear()
