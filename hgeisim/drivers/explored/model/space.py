"""The state space: successors of a state, by table look-up where the step is known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any, Protocol, TypeAlias

from hgeisim.checks.check import StateCheck
from hgeisim.checks.finding import Finding
from hgeisim.drivers.explored.model.automaton import Node
from hgeisim.drivers.explored.model.cached_step import Answer, Writes, after, leaves, mask
from hgeisim.drivers.explored.model.codebook import Codebook, TooNarrow
from hgeisim.drivers.explored.model.frames import SeamError
from hgeisim.drivers.explored.model.invariants import Invariants, watched_cells
from hgeisim.drivers.explored.model.system import System
from hgeisim.drivers.explored.model.transaction import Contention
from hgeisim.errors import ModelError

Successor: TypeAlias = tuple[int, bytes, tuple[Finding, ...]]


class Outgrown(Exception):
    """A step wrote a cell that has no place in a state because no earlier step wrote it, or a value
    for which that place is too narrow."""


class Diverged(ModelError):
    """A schedule of a search cannot be followed, because a step that it needs was learned anew."""


class Mirror(Protocol):
    """Receives every step that a space learns."""

    def plant(self, slot: int, path: list[tuple[int, int]], answer: Answer) -> None:
        """Add the answer of a context for these places and codes, in the order of the tree."""


class Space:
    """The states and steps that are reachable from the start of a sealed `System`.

    `trees` has the known answers of each context, by the code of its local state.  With `merging` a
    step is as long as `Transaction` allows.  Such a space is `outdated` once a step was learned
    that contradicts what earlier steps relied on: each of those can be made, but a search may have
    missed others, so `forget` them and search again.  `written` are the addresses of all cells that
    some step changed.
    """

    def __init__(
        self, system: System, checks: Sequence[StateCheck[Any]] = (), merging: bool = False
    ) -> None:
        self.system, self.checks = system, checks
        self.locations = [automaton.location for automaton in system.automata]
        self.contention = Contention(system, watched_cells(system, checks)) if merging else None
        self.steps_learned = 0
        self.written = set(self.locations)
        self.wide: set[int] = set()
        self._before: dict[int, set[int]] = {}
        self._clear(range(len(system.start)))

    def _clear(self, live: Iterable[int], roomy: bool = False) -> None:
        """Drop all steps; states get a place for each of the `live` addresses, two if `roomy`."""
        system, live = self.system, list(live)
        wide = live if roomy else self.wide
        self.codebook = Codebook(system.start, system.memory.names, live, frozenset(wide))
        self.invariants = Invariants(system, self.codebook, self.checks)
        self.trees: list[dict[int, Any]] = [{} for _ in self.locations]
        places = self.codebook.places
        self._places = [places[location][0] for location in self.locations]
        self._further = [places[location][1:] for location in self.locations]
        self._reads = [0] * len(self.locations)
        self._disturbed: dict[Answer, tuple[int, ...]] = {}
        self.mirror: Mirror | None = None

    @cached_property
    def fine(self) -> Space:
        """The same space in steps of one operation."""
        if self.contention is None:
            return self
        made = Space(self.system, self.checks)
        made.make_room()
        return made

    @cached_property
    def whole(self) -> Space:
        """The same space in long steps, with room for every cell that a step may write."""
        made = Space(self.system, self.checks, merging=True)
        made.make_room()
        return made

    @property
    def lessons(self) -> int:
        """The number of facts known about what contexts write and contend for."""
        return len(self.written) + (self.contention.lessons if self.contention else 0)

    @property
    def outdated(self) -> bool:
        """Whether known steps relied on something that does not hold."""
        return self.contention is not None and self.contention.wrong

    @contextmanager
    def searched_again(self) -> Iterator[None]:
        """Skip what cannot be done in an outdated space; the next search will do it."""
        try:
            yield
        except Diverged:
            if not self.outdated:
                raise

    def forget(self) -> None:
        """Forget all answers, but not which contexts contend for which cells, nor which cells are
        written: only those get places in states from now on, as wide as they need."""
        self.wide.update(self.codebook.crowded())
        for address in self.written:
            self._before[address] = self.values(address)
        self._clear(self.written)
        if self.contention is not None:
            self.contention.start_again()

    def values(self, address: int) -> set[int]:
        """The values that a cell has had in the states reached so far."""
        known = self.codebook.places.get(address)
        now = self.codebook.values[known[0]] if known else [self.system.start[address]]
        return {*now, *self._before.get(address, ())}

    def make_room(self) -> None:
        """Give all cells two places in states, so that any write fits, and drop all steps; nothing
        happens if they have them already."""
        if self.codebook.size < 2 * len(self.system.start):
            self._clear(range(len(self.system.start)), roomy=True)
            if self.contention is not None:
                self.contention.start_again()

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
        """The answer of a context in a state: the step that it would make."""
        tree = self.trees[slot].get(state[self._places[slot]])
        while type(tree) is tuple:
            tree = tree[1].get(state[tree[0]])
        answer: Answer = tree or self._learn(slot, state)
        return answer

    def answers(self, state: bytes) -> list[Answer]:
        """The answers of all contexts in a state."""
        return [self.ask(slot, state) for slot in range(len(self.locations))]

    def answers_after(self, before: list[Answer], step: Answer, state: bytes) -> list[Answer]:
        """The answers in `state`, which `step` has reached from a state with the answers `before`.

        The two states differ only in cells that the step wrote.  An answer that read none of them
        holds in both, so only contexts that did read one are asked again, usually one or two.
        """
        answers, written = before.copy(), step.written
        disturbed = self._disturbed.get(step)
        if disturbed is None:
            # Only contexts that ever read a cell that the step writes can be disturbed by it.
            reads = enumerate(self._reads)
            disturbed = tuple(slot for slot, cells in reads if cells & written)
            self._disturbed[step] = disturbed
        for slot in disturbed:
            if answers[slot].reads & written:
                answers[slot] = self.ask(slot, state)
        return answers

    def in_full(self, slots: Iterable[int]) -> tuple[int, ...]:
        """A schedule of steps from the start, in single operations.

        Raises `Diverged` if the space is outdated and has learned another step in between.
        """
        state, schedule = self.initial(), list[int]()
        for slot in slots:
            answer = self.ask(slot, state)
            if answer.writes is None:
                raise Diverged("a schedule that was searched cannot be followed")
            schedule += [slot] * answer.length
            state = after(state, answer.writes)
        return tuple(schedule)

    def state_after(self, slots: Iterable[int]) -> bytes:
        """The state that a schedule of steps leads to from the start."""
        state = self.initial()
        for slot in slots:
            state = after(state, self.ask(slot, state).writes or ())
        return state

    def node(self, slot: int, state: bytes) -> Node | None:
        """The local state of a context in a state; None at rest."""
        automaton = self.system.automata[slot]
        return automaton.nodes[self.codebook.value(automaton.location, state)]

    def pending(self, state: bytes) -> list[int]:
        """The contexts that are not at rest."""
        return [slot for slot in range(len(self.locations)) if self.node(slot, state) is not None]

    def known(self) -> Iterator[tuple[int, bytes, Answer]]:
        """All known steps: the context, a state (reached or not) with that answer, the answer."""
        for slot, tree in enumerate(self.trees):
            for path, answer in leaves(tree, self._places[slot]):
                state = bytearray(self.initial())
                for place, code in path:
                    state[place] = code
                yield slot, bytes(state), answer

    def _learn(self, slot: int, state: bytes) -> Answer:
        """Execute the step, once, and add its answer to the tree, under the cells that it read.

        Raises `Outgrown` if states have no place for what it wrote, and `Spent`.
        """
        self.system.budget.spend()
        memory, location = self.system.memory, self.locations[slot]
        cells, places = self.codebook.decode(state), self.codebook.places
        self.steps_learned += 1
        memory.begin_step(cells)
        outcome = self.system.attempt(slot, cells[location], self.contention)
        inputs = [*self._further[slot]]
        inputs += [p for a in memory.reads if a in places and a != location for p in places[a]]
        reads = mask([self._places[slot], *inputs])
        if outcome is None:
            answer = Answer(reads)
        elif self.system.crashed:
            answer = Answer(reads, (), outcome[1], length=self.system.length)
            answer.crashes = True
        else:
            memory.write(location, outcome[0])
            watched, length = self.invariants.watched, self.system.length
            answer = Answer(reads, self._writes(), outcome[1], watched, length)
        self._plant(slot, state, inputs, answer)
        return answer

    def _writes(self) -> Writes:
        memory, codebook = self.system.memory, self.codebook
        changed = {a: v for a, v in memory.writes.items() if memory.reads.get(a) != v}
        self.written.update(changed)
        if not changed.keys() <= codebook.places.keys():
            raise Outgrown
        try:
            codes = [codebook.code(address, value) for address, value in sorted(changed.items())]
        except TooNarrow as narrow:
            self.wide.add(narrow.address)
            raise Outgrown from None
        return tuple(part for code in codes for part in code)

    def _plant(self, slot: int, state: bytes, inputs: list[int], answer: Answer) -> None:
        trees: dict[int, Any] = self.trees[slot]
        key = state[self._places[slot]]
        for place in inputs:
            branch = trees.setdefault(key, (place, {}))
            if type(branch) is not tuple or branch[0] != place:
                # After the same reads the step now reads something else.  In an outdated space
                # that is a step of another length; else the path broke a rule.
                if not self.outdated:
                    name = self.system.automata[slot].name
                    raise SeamError(
                        f"{name}: its step depends on something that is not shared state"
                    )
                branch = trees[key] = place, {}
            trees, key = branch[1], state[place]
        trees[key] = answer
        if self.mirror is not None:
            places = self._places[slot], *inputs
            self.mirror.plant(slot, [(place, state[place]) for place in places], answer)
        if answer.reads & ~self._reads[slot]:
            self._reads[slot] |= answer.reads
            self._disturbed.clear()
