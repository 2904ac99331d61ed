"""What a search says in the end: the findings, and how much it covered."""

from __future__ import annotations

from dataclasses import dataclass, field

from hgeisim.checks.finding import Finding

EXHAUSTED, BOUNDED, SAMPLED = "exhausted", "bounded", "sampled"

Schedule = tuple[int, ...]
"""The contexts that step, one after the other, from the initial state."""


@dataclass(frozen=True)
class Counterexample:
    """A finding and a schedule that ends in it."""

    finding: Finding
    schedule: Schedule


@dataclass
class Verdict:
    """The result of a search.

    `coverage` is one of the three words: all interleavings, those within a bound, or a sample.
    `bound` says which bound or how many schedules.  `states` and `transitions` count distinct
    states and steps taken; `ends` are the states in which nothing can happen any more.
    """

    coverage: str = EXHAUSTED
    bound: str = ""
    states: int = 0
    transitions: int = 0
    ends: int = 0
    counterexamples: dict[str, Counterexample] = field(default_factory=dict)

    def note(self, finding: Finding, schedule: Schedule) -> None:
        """Keep the first counterexample of each finding."""
        self.counterexamples.setdefault(finding.id, Counterexample(finding, schedule))
