"""A series of kernels in one scenario: a base, then the patches of a series, or its revisions.

Their lock order is compared by sample: every kernel follows the same schedules, namely those that
show the findings that a patch has brought, random ones, and those that have shown a lock-order
finding in any of the kernels.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypedDict

from hgeisim.checks.finding import (
    EASIER,
    INTRODUCED,
    PRE_EXISTING,
    UNKNOWN,
    Finding,
    Standing,
)
from hgeisim.drivers.explored.base import Base
from hgeisim.drivers.explored.comparison import (
    CAME,
    WENT,
    Changes,
    by_word,
    changes,
    compared,
    counting,
)
from hgeisim.drivers.explored.lock_trial import KnownLocks
from hgeisim.drivers.explored.strategies.lock_walks import WALKS, LockWalks, lock_walks
from hgeisim.drivers.explored.strategies.search import Progress
from hgeisim.drivers.explored.strategies.strategy import Below
from hgeisim.drivers.explored.strategies.verdict import Counterexample, Schedule
from hgeisim.kernel.variants import own_files
from hgeisim.lockorder.baseline.baseline import EdgeFacts, edge_facts
from hgeisim.lockorder.graph.dependency_graph import Pair
from hgeisim.scenario.canonical import on_variant
from hgeisim.scenario.schema import Scenario


class Series:
    """The `kernels` of some variants in a scenario, the base first.

    A finding is new compared with the base; a change is compared with the kernel before.
    """

    def __init__(self, scenario: Scenario, variants: Iterable[str], states_max: int) -> None:
        self.scenario = scenario
        self.kernels = [Base(on_variant(scenario, each), states_max) for each in variants]

    def build(self) -> None:
        """Build the kernels.  Raises `InputError` if the scenario cannot be searched."""
        for kernel in self.kernels:
            kernel.space  # noqa: B018 - it is kept

    def search(self, progress: Progress | None = None) -> None:
        """Search each kernel for its findings, by the fewest switches, and for their schedules."""
        loops = any(own_files(each.variant) for each in self.kernels)
        for kernel in self.kernels:
            kernel.progress = progress
            kernel.shows(loops)
        for at in range(1, len(self.kernels)):
            self.kernels[at].find_ways(self._brought(at))

    @property
    def whole(self) -> bool:
        """Whether all findings of all kernels were found."""
        return all(kernel.known().whole for kernel in self.kernels)

    def standings(self, at: int) -> Mapping[str, Standing]:
        """The standing of each finding of a kernel against the base."""
        return compared(self.kernels[at].known(), self.kernels[0].known())

    def counting(self, at: int) -> list[str]:
        """The ids of the findings that speak against the patches in a kernel."""
        return counting(self.standings(at))

    def changes(self, at: int) -> Changes:
        """The changes from the kernel before to this one."""
        return changes(self.kernels[at - 1].known(), self.kernels[at].known())

    def evidence(self, at: int) -> dict[str, Counterexample]:
        """A schedule for each finding that a patch has brought or made easier, and that the base
        does not show as easily."""
        ways = self.kernels[at].ways
        return {i: ways[i] for i in self._brought(at) if i in ways}

    def _brought(self, at: int) -> list[str]:
        made, standings = self.changes(at), self.standings(at)
        brought = (i for word in (CAME, EASIER, UNKNOWN) for i in made[word])
        return [i for i in brought if standings[i].word != PRE_EXISTING]


class Kinds(TypedDict):
    """The kinds in which a kernel has shown a dependency, and those that only its baseline has."""

    seen: list[str]
    known: list[str]


@dataclass
class SampledLocks:
    """The lock order that a kernel has shown along the schedules, and all that is `known` of it."""

    base: Base
    known: KnownLocks
    findings: dict[str, tuple[Finding, Schedule]] = field(default_factory=dict)
    edges: dict[Pair, EdgeFacts] = field(default_factory=dict)
    schedules: int = 0

    def learn(self, walks: LockWalks) -> None:
        """Learn from lock walks of the kernel."""
        if walks.stopped is not None:
            raise walks.stopped
        self.findings = walks.findings | self.findings
        self.edges = edge_facts(walks.order.validator.known)
        self.schedules += walks.schedules
        self.known.learn(walks)


class SeriesLocks:
    """The lock order of some `kernels`, the base first."""

    def __init__(self, kernels: Iterable[Base]) -> None:
        self.kernels = [SampledLocks(each, KnownLocks(each)) for each in kernels]

    def learn(self, given: Iterable[Schedule], below: Iterable[Below]) -> None:
        """Let each kernel follow some schedules and random ones, from a stream of its own; then
        those that have shown a finding in another kernel."""
        known, orders = list(given), []
        for kernel, stream in zip(self.kernels, below, strict=True):
            walks = lock_walks(kernel.base.space, known, WALKS, stream)
            kernel.learn(walks)
            orders.append(walks.order)
        shown = [dict(kernel.findings) for kernel in self.kernels]
        for kernel, order in zip(self.kernels, orders, strict=True):
            others = {i: way for each in shown for i, (_, way) in each.items()}
            missing = [others[i] for i in sorted(others.keys() - kernel.findings.keys())]
            if missing:
                kernel.learn(lock_walks(kernel.base.space, missing, 0, lambda _: 0, order))

    def standings(self, at: int) -> Mapping[str, Standing]:
        """The standing of each finding of a kernel against the base."""
        base = self.kernels[0].known
        return {i: base.standing(each) for i, (each, _) in self.kernels[at].findings.items()}

    def counting(self, at: int) -> list[str]:
        """The ids of the findings that speak against the patches in a kernel."""
        return counting(self.standings(at))

    def changes(self, at: int) -> Changes:
        """The findings that a kernel shows and the one before does not, and the other way round."""
        before, after = self.kernels[at - 1], self.kernels[at]
        words = {
            i: CAME
            for i, (each, _) in after.findings.items()
            if before.known.standing(each).word == INTRODUCED
        }
        gone = (i for i, (each, _) in before.findings.items() if not after.known.shows(each))
        return by_word(words | dict.fromkeys(gone, WENT))

    def edges(self) -> dict[str, list[Kinds]]:
        """The dependencies that not all kernels have, with the kinds in every kernel."""
        rows = {}
        for pair in sorted({pair for each in self.kernels for pair in each.edges}):
            shown = {kind for each in self.kernels for kind in _kinds(each.edges, pair)}
            row = list[Kinds]()
            for each in self.kernels:
                seen = {*_kinds(each.edges, pair)}
                known = {*_kinds(each.known.edges, pair)} & shown
                row.append({"seen": sorted(seen), "known": sorted(known - seen)})
            if any({*kinds["seen"], *kinds["known"]} != shown for kinds in row):
                rows[" < ".join(pair)] = row
        return rows


def _kinds(edges: Mapping[Pair, EdgeFacts], pair: Pair) -> Iterable[str]:
    return edges[pair].kinds if pair in edges else ()
