"""Searches by switches of context: level by level, each with one switch more."""

from __future__ import annotations

from abc import ABC, abstractmethod
from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from hgeisim.checks.finding import Finding
from hgeisim.drivers.explored.model.cached_step import after
from hgeisim.drivers.explored.model.codebook import CodebookFull
from hgeisim.drivers.explored.model.nontermination import LoneRuns, endless
from hgeisim.drivers.explored.model.space import Outgrown, Space
from hgeisim.drivers.explored.model.terminal_states import end_findings
from hgeisim.drivers.explored.strategies.search import PROGRESS_EVERY, Progress, way_to
from hgeisim.drivers.explored.strategies.verdict import Counterexample, Found, Schedule

Reached: TypeAlias = list[tuple[int, bytes]]
"""States, each with the number of its first node."""


@dataclass
class FewestSwitches:
    """For each finding that was reached a schedule with the fewest switches, in `ways`.

    All schedules of up to `levels` - 1 switches were made: what was not reached needs `levels` or
    more.  It is None once all schedules were made: what was not reached cannot happen.
    """

    ways: dict[str, Counterexample] = field(default_factory=dict)
    levels: int | None = 0
    states: int = 0
    steps: int = 0
    ends: int = 0


class EnoughStates(Exception):
    """As many states were reached as may be."""


Tell: TypeAlias = Callable[[Counterexample], None]
"""Told each way that is found, of the same finding again where the search begins again."""


def to_nobody(way: Counterexample) -> None:
    """Nobody wants to know before the end."""


@dataclass(frozen=True)
class Wish:
    """What is looked for: the findings of these `ids`, or all there are; with `loops`, contexts
    that go round for ever as well, at twice the time.

    `tell` is told each way at once, and may raise `Found` to end the search.
    """

    ids: frozenset[str] | None = None
    loops: bool = False
    tell: Tell = to_nobody


class Levels(ABC):
    """States in the order of the fewest switches in which each is reached.

    A node is a state with a context that stands last on a best way to it; `origin` says how it was
    reached: the node before it times the number of contexts, plus the context that stepped.
    """

    def __init__(self, space: Space, states_max: int, wish: Wish) -> None:
        self.space, self.states_max, self.result = space, states_max, FewestSwitches()
        self.width = len(space.locations)
        self.left, self.tell = None if wish.ids is None else {*wish.ids}, wish.tell

    @abstractmethod
    def level(self, progress: Progress | None) -> bool:
        """Make the next level; False when the one before has led to nothing new."""

    @abstractmethod
    def __len__(self) -> int:
        """How many states were reached."""

    @property
    @abstractmethod
    def steps(self) -> int:
        """How many steps were made: as many as there are nodes beside the first."""

    @abstractmethod
    def origin(self, node: int) -> int:
        """How a node was reached."""

    def run(self, progress: Progress | None) -> bool:
        """Make all levels; False when a step was learned that makes the search invalid."""
        try:
            self.make_levels(progress)
        except (Found, EnoughStates, CodebookFull):
            pass
        except Outgrown:
            return False
        finally:
            self.result.states, self.result.steps = len(self), self.steps
        return not self.space.outdated

    def make_levels(self, progress: Progress | None) -> None:
        """One level after the other, until nothing is new."""
        start = self.space.initial()
        self.look(0, start)
        self.look_at_rest(0, start)
        while not self.space.outdated and self.level(progress):
            self.result.levels = (self.result.levels or 0) + 1
        self.result.levels = None

    def look(self, node: int, state: bytes) -> None:
        """Note what is wrong in a new state."""
        self.note(self.space.invariants.of(state), node)

    def look_at_rest(self, node: int, state: bytes) -> None:
        """Note what is wrong with a state where nothing can happen any more, if it is one."""
        if next(self.space.successors(state), None) is None:
            self.result.ends += 1
            self.note(end_findings(self.space, state), node)

    def note(self, findings: Iterable[Finding], node: int, *last: int) -> None:
        """Keep the first way to each finding; raises `Found` with the last one that is wanted."""
        for finding in findings:
            if finding.id not in self.result.ways:
                with self.space.searched_again():
                    self._keep(Counterexample(finding, self.schedule(node, *last)))
        if self.left is not None and not self.left:
            raise Found

    def _keep(self, way: Counterexample) -> None:
        finding_id = way.finding.id
        self.result.ways[finding_id] = way
        self.tell(way)
        if self.left is not None:
            self.left.discard(finding_id)

    def schedule(self, node: int, *last: int) -> Schedule:
        """The way to a node, and a last step, in single operations."""
        return self.space.in_full([*way_to(node, self.origin, self.width), *last])


class PlainLevels(Levels):
    """The same in Python.

    `seen` has the first node of each state, `lasts` for each first node the contexts that stand
    last, as bits; nodes from `begin` on are of the present level, `here` are the states that the
    one before has reached.
    """

    def __init__(self, space: Space, states_max: int, wish: Wish) -> None:
        super().__init__(space, states_max, wish)
        start = space.initial()
        self.seen, self.origins, self.lasts = {start: 0}, array("Q", [0]), array("Q", [0])
        self.begin = 0
        self.here: Reached = [(0, start)]
        self.loops = LoneRuns(space) if wish.loops else None

    def __len__(self) -> int:
        return len(self.seen)

    @property
    def steps(self) -> int:
        """How many steps were made."""
        return len(self.origins) - 1

    def origin(self, node: int) -> int:
        """How a node was reached."""
        return self.origins[node]

    def level(self, progress: Progress | None) -> bool:
        """Let each context that does not stand last go on."""
        if not self.here:
            return False
        self.begin = len(self.origins)
        self.here = self.level_after(self.here, progress)
        return True

    def level_after(self, here: Reached, progress: Progress | None) -> Reached:
        """What is reached with one switch more: each context that does not stand last goes on."""
        reached: Reached = []
        slots = [(slot, 1 << slot) for slot in range(self.width)]
        budget, nodes = self.space.system.budget, len(self.origins)
        for number, (node, state) in enumerate(here):
            if number % PROGRESS_EVERY == 0:
                budget.look_at_memory()
                if progress:
                    progress(len(self.seen), len(here) - number)
            made, nodes = len(self.origins) - nodes, len(self.origins)
            budget.spend(made)
            lasts = self.lasts[node]
            for slot, bit in slots:
                if not lasts & bit:
                    self.go_on(node, state, slot, reached)
            if len(self.seen) >= self.states_max:
                raise EnoughStates
        return reached

    def go_on(self, node: int, state: bytes, slot: int, reached: Reached) -> None:
        """Let one context step for as long as it can, or until another way led there."""
        ask, seen, lasts, origins = self.space.ask, self.seen, self.lasts, self.origins
        begin, bit, width, moved = self.begin, 1 << slot, self.width, False
        while (answer := ask(slot, state)).writes is not None:
            if answer.findings:
                self.note(answer.findings, node, slot)
            state = after(state, answer.writes)
            first = seen.get(state)
            if first is not None and (first < begin or lasts[first] & bit):
                return
            origins.append(node * width + slot)
            node, moved = len(lasts), True
            if first is not None:
                lasts[first] |= bit
                lasts.append(0)
                continue
            seen[state] = node
            lasts.append(bit)
            reached.append((node, state))
            if answer.watched or self.loops:
                self.look(node, state)
        if moved:
            self.look_at_rest(node, state)

    def look(self, node: int, state: bytes) -> None:
        """Note what is wrong in a new state, and that contexts go round for ever."""
        super().look(node, state)
        if self.loops and self.loops.all_go_round(state):
            self.note(endless(self.space, state), node)
