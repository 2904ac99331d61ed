"""Lock order on trial: what a sample of a variant's schedules shows, and its base does not.

A sample misses what another one shows, so the base is led along the schedules of the variant first,
and then along as many random ones.  Besides, it is known to lock as its baseline says, and to show
what is accepted of it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from hgeisim.checks.finding import INTRODUCED, PRE_EXISTING, UNKNOWN, Finding, Standing
from hgeisim.drivers.explored.base import Base
from hgeisim.drivers.explored.strategies.lock_walks import WALKS, LockWalks, lock_walks
from hgeisim.drivers.explored.strategies.strategy import Below
from hgeisim.drivers.explored.strategies.verdict import Schedule
from hgeisim.lockorder.baseline.baseline import (
    Baseline,
    EdgeFacts,
    compare,
    edge_facts,
    stands_whole,
)
from hgeisim.lockorder.baseline.baseline_file import read_baseline, shipped_path
from hgeisim.lockorder.graph.dependency_graph import Pair


@dataclass
class LockTrial:
    """How each finding compares, and the dependencies that only the variant has, as text.

    `stopped` is what ended the schedules of the base early, if anything did.
    """

    standings: dict[str, Standing] = field(default_factory=dict)
    new_edges: list[str] = field(default_factory=list)
    stopped: BaseException | None = None


def lock_trial(walks: LockWalks, base: Base, given: Iterable[Schedule], below: Below) -> LockTrial:
    """Compare what was learned along the schedules of a variant; some of them are `given`."""
    other = KnownLocks(base)
    own = edge_facts(walks.order.validator.known)
    found = [finding for finding, _ in walks.findings.values()]
    if not all(map(other.shows, found)) or other.lacks(own):
        other.walk([*(schedule for _, schedule in walks.findings.values()), *given], below)
    standings = {each.id: other.standing(each) for each in found}
    return LockTrial(standings, other.lacks(own), other.stopped)


def lock_standings(
    found: Collection[Finding], base: Base, schedule: Schedule, below: Below
) -> dict[str, Standing]:
    """The same for what one schedule of a variant has shown, with the same random ones of the
    base."""
    other = KnownLocks(base)
    if not all(map(other.shows, found)):
        other.walk([schedule], below)
    return {each.id: other.standing(each) for each in found}


class KnownLocks:
    """What is known of the lock order of a kernel: its `edges`, and the `ids` of its findings."""

    def __init__(self, base: Base) -> None:
        self.base, self.ids = base, frozenset[str]()
        self.stopped: BaseException | None = None
        path = shipped_path(base.variant)
        self.edges: dict[Pair, EdgeFacts] = dict(read_baseline(path).edges) if path else {}

    def shows(self, finding: Finding) -> bool:
        """Whether the base has what another kernel shows: shown, accepted by its cause there, or a
        circle of dependencies that it has."""
        accepted = self.base.accepts(finding.id, finding.cause)
        return accepted or finding.id in self.ids or stands_whole(finding.id, self.edges)

    def lacks(self, edges: dict[Pair, EdgeFacts]) -> list[str]:
        """The dependencies that it does not have, of a kind or at all."""
        found = compare(Baseline(edges=self.edges), Baseline(edges=edges))
        return [str(each) for each in found if each.grows]

    def walk(self, along: Iterable[Schedule], below: Below) -> None:
        """Learn from some schedules, as far as it can follow them, and from random ones."""
        self.learn(lock_walks(self.base.space, along, WALKS, below))

    def learn(self, walks: LockWalks) -> None:
        """Know what it shows along schedules."""
        self.ids |= walks.findings.keys()
        self.stopped = walks.stopped
        for pair, facts in edge_facts(walks.order.validator.known).items():
            earlier = self.edges.get(pair, facts)
            self.edges[pair] = EdgeFacts(earlier.kinds | facts.kinds, earlier.site)

    def standing(self, finding: Finding) -> Standing:
        """How a finding of the variant compares."""
        if self.shows(finding):
            return Standing(PRE_EXISTING)
        return Standing(UNKNOWN if self.stopped is not None else INTRODUCED)
