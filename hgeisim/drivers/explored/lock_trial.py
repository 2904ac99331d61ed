"""A lock trial: the lock order along a sample of a variant's schedules, compared with its base.

One sample misses what another shows, so the base first follows the schedules of the variant, and
then as many random ones.  It is also known to have the dependencies of its baseline, and the
findings that are accepted in it.
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
from hgeisim.machine.kernel_name import present_id


@dataclass
class LockTrial:
    """The standing of each finding, and the dependencies that only the variant has, as text.

    `stopped` is the error that ended the schedules of the base early, if one did.
    """

    standings: dict[str, Standing] = field(default_factory=dict)
    new_edges: list[str] = field(default_factory=list)
    stopped: BaseException | None = None


def lock_trial(walks: LockWalks, base: Base, given: Iterable[Schedule], below: Below) -> LockTrial:
    """Compare the lock order that was learned along schedules of a variant, the `given` ones
    included."""
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
    """The standing of the findings of one schedule; the base follows it and the same random ones as
    in an exploration."""
    other = KnownLocks(base)
    if not all(map(other.shows, found)):
        other.walk([schedule], below)
    return {each.id: other.standing(each) for each in found}


class KnownLocks:
    """The known lock order of a kernel: its `edges`, and the `ids` of its findings."""

    def __init__(self, base: Base) -> None:
        self.base, self.ids = base, frozenset[str]()
        self.stopped: BaseException | None = None
        path = shipped_path(base.variant)
        self.edges: dict[Pair, EdgeFacts] = (
            dict(read_baseline(path, present_id).edges) if path else {}
        )

    def shows(self, finding: Finding) -> bool:
        """Whether the base has a finding of another kernel: it has shown it, it is accepted for
        its cause, or it is a cycle of dependencies that the base has."""
        accepted = self.base.accepts(finding.id, finding.cause)
        return accepted or finding.id in self.ids or stands_whole(finding.id, self.edges)

    def lacks(self, edges: dict[Pair, EdgeFacts]) -> list[str]:
        """The dependencies that the kernel does not have, of a kind or at all."""
        found = compare(Baseline(edges=self.edges), Baseline(edges=edges))
        return [str(each) for each in found if each.grows]

    def walk(self, along: Iterable[Schedule], below: Below) -> None:
        """Learn from schedules, as far as the kernel can follow them, and from random ones."""
        self.learn(lock_walks(self.base.space, along, WALKS, below))

    def learn(self, walks: LockWalks) -> None:
        """Learn from lock walks of the kernel."""
        self.ids |= walks.findings.keys()
        self.stopped = walks.stopped
        for pair, facts in edge_facts(walks.order.validator.known).items():
            earlier = self.edges.get(pair, facts)
            self.edges[pair] = EdgeFacts(earlier.kinds | facts.kinds, earlier.site)

    def standing(self, finding: Finding) -> Standing:
        """The standing of a finding of the variant."""
        if self.shows(finding):
            return Standing(PRE_EXISTING)
        return Standing(UNKNOWN if self.stopped is not None else INTRODUCED)
