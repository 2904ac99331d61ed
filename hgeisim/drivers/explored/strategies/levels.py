"""Searches by context switches: level by level, each with one switch more."""

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
"""States, each behind the number of its first node."""


@dataclass
class FewestSwitches:
    """The result of such a search: in `ways`, a schedule with the fewest switches per finding.

    All schedules of up to `levels` - 1 switches were made: a finding that was not reached needs
    `levels` or more.  Once all schedules were made `levels` is None: any other finding cannot
    happen.
    """

    ways: dict[str, Counterexample] = field(default_factory=dict)
    levels: int | None = 0
    states: int = 0
    steps: int = 0
    ends: int = 0


class EnoughStates(Exception):
    """The search has reached as many states as it may."""


Report: TypeAlias = Callable[[Counterexample], None]
"""Called with each counterexample that is found, again where the search begins again."""


@dataclass(frozen=True)
class Wish:
    """A wish for the findings with some `ids`, or for all (None); with `loops` also for contexts
    that loop for ever, which takes twice the time.

    `report` is called with each counterexample immediately, and may raise `Found` to end the
    search.
    """

    ids: frozenset[str] | None = None
    loops: bool = False
    report: Report = lambda way: None


class Levels(ABC):
    """States in the order of the fewest switches with which each is reached.

    A node is a state together with a context that stepped last on a best way to it; `origin`
    encodes how it was reached: the node before it times the number of contexts, plus the context
    that stepped.
    """

    def __init__(self, space: Space, states_max: int, wish: Wish) -> None:
        self.space, self.states_max, self.result = space, states_max, FewestSwitches()
        self.width = len(space.locations)
        self.left, self.report = None if wish.ids is None else {*wish.ids}, wish.report

    @abstractmethod
    def level(self, progress: Progress | None) -> bool:
        """Make the next level; False if the one before it has reached nothing new."""

    @abstractmethod
    def __len__(self) -> int:
        """How many states were reached."""

    @property
    @abstractmethod
    def steps(self) -> int:
        """How many steps were made: the number of nodes without the first."""

    @abstractmethod
    def origin(self, node: int) -> int:
        """The node and the context from which a node was reached, see the class."""

    def run(self, progress: Progress | None) -> bool:
        """Make all levels; return False after learning a step that makes the search invalid."""
        start = self.space.initial()
        try:
            self.look(0, start)
            self.look_at_rest(0, start)
            while not self.space.outdated and self.level(progress):
                self.result.levels = (self.result.levels or 0) + 1
            self.result.levels = None
        except (Found, EnoughStates, CodebookFull):
            pass
        except Outgrown:
            return False
        finally:
            self.result.states, self.result.steps = len(self), self.steps
        return not self.space.outdated

    def look(self, node: int, state: bytes) -> None:
        """Note the findings of a new state."""
        self.note(self.space.invariants.of(state), node)

    def look_at_rest(self, node: int, state: bytes) -> None:
        """Note the findings of a state in which nothing more can happen, if it is one."""
        if next(self.space.successors(state), None) is None:
            self.result.ends += 1
            self.note(end_findings(self.space, state), node)

    def note(self, findings: Iterable[Finding], node: int, *last: int) -> None:
        """Keep the first way to each finding; raises `Found` after the last one wished for."""
        for finding in findings:
            if finding.id not in self.result.ways:
                with self.space.searched_again():
                    way = Counterexample(finding, self.schedule(node, *last))
                    self.result.ways[finding.id] = way
                    self.report(way)
                    if self.left is not None:
                        self.left.discard(finding.id)
        if self.left is not None and not self.left:
            raise Found

    def schedule(self, node: int, *last: int) -> Schedule:
        """The way to a node and a last step, in single operations."""
        return self.space.in_full([*way_to(node, self.origin, self.width), *last])


class PlainLevels(Levels):
    """The same search with its inner loop in Python.

    `seen` maps a state to its first node, and `lasts` has for each first node the contexts that
    stepped last, as bits.  Nodes from `begin` on belong to the present level; `here` are the states
    that the level before has reached.
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
        """Let each context that did not step last go on from where the last level ended."""
        here, reached = self.here, list[tuple[int, bytes]]()
        if not here:
            return False
        self.begin = len(self.origins)
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
        self.here = reached
        return True

    def go_on(self, node: int, state: bytes, slot: int, reached: Reached) -> None:
        """Let one context step for as long as it can, or until it comes to a known state that
        another way has reached at no more cost."""
        ask, seen, lasts, origins = self.space.ask, self.seen, self.lasts, self.origins
        begin, bit, width, moved = self.begin, 1 << slot, self.width, False
        while (answer := ask(slot, state)).writes is not None:
            if answer.findings:
                self.note(answer.findings, node, slot)
            state = after(state, answer.writes)
            first = seen.get(state)
            if first is not None and (first < begin or lasts[first] & bit):
                return  # reached with fewer switches, or with as many and this context last
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
        """Note the findings of a new state, and contexts that loop for ever from there."""
        super().look(node, state)
        if self.loops and self.loops.all_go_round(state):
            self.note(endless(self.space, state), node)
