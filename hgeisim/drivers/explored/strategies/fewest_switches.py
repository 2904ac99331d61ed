"""The fewest switches of context with which any schedule of a space shows a finding, exactly.

A context is deterministic.  So from a state where context s stepped last, going on with s costs
nothing and any other one switch: states are taken level by level of switches, and within a level
each context goes on for as long as it can.  Steps of many operations give the same numbers as
single ones, since all operations of a step are of one context.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from hgeisim.checks.finding import Finding
from hgeisim.drivers.explored.model.answer import after
from hgeisim.drivers.explored.model.codebook import CodebookFull
from hgeisim.drivers.explored.model.endless import KIND, LoneRuns, endless
from hgeisim.drivers.explored.model.ends import end_findings
from hgeisim.drivers.explored.model.livelock import KIND as LIVELOCK
from hgeisim.drivers.explored.model.space import Outgrown, Space
from hgeisim.drivers.explored.strategies.search import PROGRESS_EVERY, Progress
from hgeisim.drivers.explored.strategies.strategy import warm_up
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


@dataclass(frozen=True)
class Wish:
    """What is looked for: the findings of these `ids`, or all there are; with `loops`, contexts
    that go round for ever as well, at twice the time."""

    ids: frozenset[str] | None = None
    loops: bool = False


ALL = Wish()


def is_livelock(finding_id: str) -> bool:
    """Whether a finding is one that only shows once all states are known."""
    return finding_id.startswith(f"{LIVELOCK}:")


def wish_for(ids: Iterable[str]) -> Wish:
    """Exactly these findings, but for a livelock: that is looked for once all states are known."""
    wanted = frozenset(each for each in ids if not is_livelock(each))
    return Wish(wanted, any(each.startswith(f"{KIND}:") for each in wanted))


def fewest_switches(
    space: Space, states_max: int, wish: Wish = ALL, progress: Progress | None = None
) -> FewestSwitches:
    """Reach each finding in as few switches as any schedule can.

    It ends early with the last one that is wished for, or where `states_max` are spent.
    """
    if space.contention is not None and not space.steps_learned:
        warm_up(space)
    search = _Search(space, states_max, wish)
    while not search.run(progress):
        space.forget()
        search = _Search(space, states_max, wish)
    return search.result


class _Spent(Exception):
    """The budget of states is spent."""


class _Search:
    """The states in the order of the fewest switches in which each is reached.

    A node is a state with a context that stands last on a best way to it; `origins` has for each
    the node before it times the number of contexts, plus the context that stepped.  `seen` has the
    first node of each state, `lasts` for each first node the contexts that stand last, as bits;
    nodes from `begin` on are of the present level.
    """

    def __init__(self, space: Space, states_max: int, wish: Wish) -> None:
        self.space, self.states_max, self.result = space, states_max, FewestSwitches()
        self.width, start = len(space.locations), space.initial()
        self.left = None if wish.ids is None else {*wish.ids}
        self.seen, self.origins, self.lasts = {start: 0}, array("Q", [0]), array("Q", [0])
        self.begin = 0
        self.loops = LoneRuns(space) if wish.loops else None

    def run(self, progress: Progress | None) -> bool:
        """Make all levels; False when a step was learned that makes the search invalid."""
        try:
            self.make_levels(progress)
        except (Found, _Spent, CodebookFull):
            pass
        except Outgrown:
            return False
        self.result.states = len(self.seen)
        return not self.space.outdated

    def make_levels(self, progress: Progress | None) -> None:
        """One level after the other, until nothing is new."""
        start = self.space.initial()
        self.look(0, start)
        self.look_at_rest(0, start)
        here: Reached = [(0, start)]
        while here and not self.space.outdated:
            self.begin = len(self.origins)
            here = self.level_after(here, progress)
            self.result.levels = (self.result.levels or 0) + 1
        self.result.levels = None

    def level_after(self, here: Reached, progress: Progress | None) -> Reached:
        """What is reached with one switch more: each context that does not stand last goes on."""
        reached: Reached = []
        slots = [(slot, 1 << slot) for slot in range(self.width)]
        for number, (node, state) in enumerate(here):
            if progress and number % PROGRESS_EVERY == 0:
                progress(len(self.seen), len(here) - number)
            lasts = self.lasts[node]
            for slot, bit in slots:
                if not lasts & bit:
                    self.go_on(node, state, slot, reached)
            if len(self.seen) >= self.states_max:
                raise _Spent
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
        """Note what is wrong in a new state."""
        self.note(self.space.invariants.of(state), node)
        if self.loops and self.loops.all_go_round(state):
            self.note(endless(self.space, state), node)

    def look_at_rest(self, node: int, state: bytes) -> None:
        """Note what is wrong with a state where nothing can happen any more, if it is one."""
        if next(self.space.successors(state), None) is None:
            self.note(end_findings(self.space, state), node)

    def note(self, findings: Iterable[Finding], node: int, *last: int) -> None:
        """Keep the first way to each finding; raises `Found` with the last one that is wanted."""
        for finding in findings:
            if finding.id not in self.result.ways:
                way = Counterexample(finding, self.schedule(node, *last))
                self.result.ways[finding.id] = way
                if self.left is not None:
                    self.left.discard(finding.id)
        if self.left is not None and not self.left:
            raise Found

    def schedule(self, node: int, *last: int) -> Schedule:
        """The way to a node, and a last step, in single operations."""
        slots = list(last)
        while node:
            node, slot = divmod(self.origins[node], self.width)
            slots.append(slot)
        return self.space.in_full(reversed(slots))
