"""Runs of the base kernel of a patch, with which a run of the patch is compared.

One run is one schedule, and another one may show what it misses.  So the base runs with the seed of
the patch's run first, and then with the next seeds, until it has shown every finding that is asked
for or has used up its runs: `RUNS`, or `FEW` in a long scenario.  A finding that the base shows in
a fraction p of its runs is taken for new with probability p (1 - p)^RUNS, at most 0.9 % (p = 1/41).
Lock order, which nearly every run shows, is also compared by its dependencies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import starmap
from time import perf_counter

from hgeisim.checks.catalogue import OF_OWN_PATCHES, Severity, severity_of
from hgeisim.checks.finding import INTRODUCED, NOT_KNOWN, PRE_EXISTING, Cause, Standing
from hgeisim.checks.known import accepted
from hgeisim.drivers.timed.simulation import Record, simulate
from hgeisim.kernel.variants import own_files
from hgeisim.lockorder.baseline.baseline import EdgeFacts, edge_facts, stands_whole
from hgeisim.lockorder.baseline.baseline_file import read_baseline, shipped_path
from hgeisim.lockorder.graph.dependency_graph import Pair
from hgeisim.machine.kernel_name import present_id
from hgeisim.scenario.canonical import with_seed
from hgeisim.scenario.schema import Scenario

RUNS = 40
"""The most runs of the base."""
FEW = 5
"""The most runs of the base if these together take more than `HART_TIME_NS`."""
HART_TIME_NS = 10 * 10**9
"""Simulated time of all HARTs together up to which more than `FEW` runs are made: it takes half a
minute to a minute."""
BY_PATCHES_ONLY = (*OF_OWN_PATCHES, "check", "lock-not-held")
"""Kinds of findings that a shipped kernel cannot show."""
UNSEEN = 0.05
"""The probability that the base shows a finding of the frequency `rare` in none of its runs."""


@dataclass
class BaseRuns:
    """The base of a patch in a `scenario`: `runs` counts the runs made so far, which took
    `seconds`; `ids` are the findings they showed, and `lines` is true if one of them handed a line
    out."""

    scenario: Scenario
    record: Record
    runs: int = 0
    ids: set[str] = field(default_factory=set)
    edges: dict[Pair, EdgeFacts] = field(default_factory=dict)
    lines: bool = False
    seconds: float = 0.0

    def __post_init__(self) -> None:
        """Start from the lock order of the base's shipped baseline, if it has one."""
        path = shipped_path(self.variant)
        self.edges |= read_baseline(path, present_id).edges if path else {}

    @property
    def variant(self) -> str:
        """The name of the base."""
        return self.scenario.kernel.variant

    def standings(self, found: Mapping[str, Cause]) -> dict[str, Standing]:
        """The standing of each finding of the patch's run, compared with the base."""
        # A shipped kernel cannot show some kinds of findings, so it need not run for them.
        never = () if own_files(self.variant) else BY_PATCHES_ONLY
        wanted = {i: cause for i, cause in found.items() if i.partition(":")[0] not in never}
        while self._may_go_on() and not all(starmap(self.shows, wanted.items())):
            self._run()
        return {
            i: Standing(PRE_EXISTING if self.shows(i, cause) else INTRODUCED)
            for i, cause in found.items()
        }

    @property
    def rare(self) -> float:
        """The fraction of its runs in which the base may still show a finding that none of the runs
        made so far has shown."""
        return 1 - UNSEEN ** (1 / self.runs) if self.runs else 1.0

    def _may_go_on(self) -> bool:
        hart_time = len(self.scenario.topology.harts) * self.scenario.run.until
        return self.runs < FEW or (self.runs < RUNS and (self.runs + 1) * hart_time <= HART_TIME_NS)

    def hand_out_a_line(self) -> bool:
        """Whether the base hands a line out, by its first run."""
        if not self.runs:
            self._run()
        return self.lines

    def shows(self, finding_id: str, cause: Cause = NOT_KNOWN) -> bool:
        """Whether the base has a finding, as far as is known yet: a run showed it, or it is about
        lock order and accepted for the base by its cause, or it is a cycle of dependencies that the
        base has."""
        kernel = self.scenario.kernel
        of_locks = severity_of(finding_id) is Severity.LOCK_ORDER
        known = of_locks and accepted(finding_id, kernel.variant, kernel.realtime, cause)
        return known or finding_id in self.ids or stands_whole(finding_id, self.edges)

    def _run(self) -> None:
        seed, began = self.scenario.run.seed + self.runs, perf_counter()
        simulation = simulate(with_seed(self.scenario, seed), record=self.record)
        simulation.run(self.scenario.run.until)
        self.runs, self.seconds = self.runs + 1, self.seconds + perf_counter() - began
        self.lines |= simulation.guests.line_handed_out
        self.ids |= simulation.findings.keys()
        if simulation.lock_order is not None:
            for pair, facts in edge_facts(simulation.lock_order.validator.known).items():
                earlier = self.edges.get(pair, facts)
                self.edges[pair] = EdgeFacts(earlier.kinds | facts.kinds, earlier.site)
