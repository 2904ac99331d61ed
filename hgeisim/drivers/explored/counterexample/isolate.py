"""Tell hazards apart: a counterexample should need its own and as few others as it can.

A patch with two faults often has its shortest counterexample use both.  For each hazard that shows
on the way to another, the search is made again without it; where that still ends in the finding in
question, the schedule that needs fewer hazards replaces the shortest one.  Hazards that are
accepted weigh less: they are in every kernel.
"""

from __future__ import annotations

from hgeisim.checks.cause import of_ids
from hgeisim.checks.known import hazard, new_findings
from hgeisim.drivers.explored.counterexample.replay import findings_of
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.strategies.exhaustive import exhaustive
from hgeisim.drivers.explored.strategies.verdict import Counterexample, Verdict


def isolate(space: Space, verdict: Verdict, states_max: int) -> None:
    """Replace counterexamples by ones that need fewer other hazards, where there are any."""
    ids: dict[str, list[str]] = {}
    for finding in verdict.counterexamples:
        ids.setdefault(_hazard(space, finding), []).append(finding)
    for name, findings in ids.items():
        mixed = [c for c in verdict.counterexamples.values() if name in _others(space, c)]
        if mixed:
            without = exhaustive(space, states_max, avoid=frozenset(findings))
            for counterexample in mixed:
                _replace(space, verdict, without.counterexamples.get(counterexample.finding.id))
            if without.stopped is not None:
                verdict.stopped = without.stopped
                return


def others(space: Space, counterexample: Counterexample) -> tuple[str, ...]:
    """The ids of the findings that a counterexample shows beside its own, sorted."""
    shown = findings_of(space, counterexample.schedule)
    return tuple(sorted({f.id for f in shown} - {counterexample.finding.id}))


def _hazard(space: Space, finding_id: str) -> str:
    k = space.system.k
    return hazard(finding_id, k.name, k.realtime)


def _others(space: Space, counterexample: Counterexample) -> set[str]:
    own = _hazard(space, counterexample.finding.id)
    return {_hazard(space, i) for i in others(space, counterexample)} - {own}


def _replace(space: Space, verdict: Verdict, candidate: Counterexample | None) -> None:
    if candidate is None:
        return
    known = verdict.counterexamples[candidate.finding.id]
    if _weight(space, candidate) < _weight(space, known):
        verdict.counterexamples[candidate.finding.id] = candidate


def _weight(space: Space, counterexample: Counterexample) -> tuple[int, int]:
    """How many other hazards a counterexample needs: those that are not accepted, and all."""
    others_here = _others(space, counterexample)
    k = space.system.k
    ids = new_findings(of_ids(others(space, counterexample)), k.name, realtime=k.realtime)
    return len({_hazard(space, i) for i in ids} & others_here), len(others_here)
