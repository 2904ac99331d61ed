"""Tell findings apart: a counterexample should show its own fault and as few others as it can.

A patch with two faults often has its shortest counterexample use both.  For each finding on the
way the search is made again without it; where that still ends in the finding in question, the
schedule that shows fewer others replaces the shortest one.
"""

from __future__ import annotations

from hgeisim.drivers.explored.exhaustive import exhaustive
from hgeisim.drivers.explored.replay import findings_of
from hgeisim.drivers.explored.space import Space
from hgeisim.drivers.explored.verdict import Counterexample, Verdict


def isolate(space: Space, verdict: Verdict, states_max: int) -> None:
    """Replace counterexamples by ones that show fewer other findings, where there are any."""
    for other in list(verdict.counterexamples):
        mixed = [c for c in verdict.counterexamples.values() if other in others(space, c)]
        if mixed:
            without = exhaustive(space, states_max, avoid=other).counterexamples
            for counterexample in mixed:
                _replace(space, verdict, without.get(counterexample.finding.id))


def others(space: Space, counterexample: Counterexample) -> tuple[str, ...]:
    """The ids of the findings that a counterexample shows beside its own, sorted."""
    shown = findings_of(space, counterexample.schedule)
    return tuple(sorted({f.id for f in shown} - {counterexample.finding.id}))


def _replace(space: Space, verdict: Verdict, candidate: Counterexample | None) -> None:
    if candidate is None:
        return
    known = verdict.counterexamples[candidate.finding.id]
    if len(others(space, candidate)) < len(others(space, known)):
        verdict.counterexamples[candidate.finding.id] = candidate
