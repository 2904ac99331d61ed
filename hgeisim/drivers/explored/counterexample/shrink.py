"""Make a counterexample easier to read: fewer other hazards, fewer steps, fewer changes of context.

A patch with two faults often has its shortest counterexample use both.  A counterexample should
need its own hazard and as few others as it can.  For each hazard that shows on the way to another,
`isolate` searches again without it; where that still ends in the finding in question, the schedule
that needs fewer hazards replaces the shortest one.  Hazards that are accepted weigh less: they are
in every kernel.

Breadth-first search already gives the fewest steps; a random walk does not.  Both leave steps of
different contexts mixed where their order does not matter, and a reader wants each context to go
on for as long as it can.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby

from hgeisim.checks.finding import of_ids
from hgeisim.checks.known import hazard, new_findings
from hgeisim.drivers.explored.counterexample.cause import cause_of
from hgeisim.drivers.explored.counterexample.replay import Followed, findings_of
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.strategies.exhaustive import exhaustive
from hgeisim.drivers.explored.strategies.verdict import Counterexample, Schedule, Verdict, switches


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


def shrink_all(space: Space, verdict: Verdict) -> None:
    """Make each counterexample of a verdict easier to read; see what else shows on its way, and its
    cause."""
    for finding_id, long in list(verdict.counterexamples.items()):
        schedule = shrink(space, long.schedule, finding_id)
        shown = (f for f in findings_of(space, schedule) if f.id == finding_id)
        cause = cause_of(space, schedule, finding_id)
        finding = replace(next(shown, long.finding), cause=cause)
        short = Counterexample(finding, schedule)
        verdict.counterexamples[finding_id] = replace(short, also_shows=others(space, short))


def shrink(space: Space, schedule: Schedule, finding_id: str) -> Schedule:
    """Return a schedule that shows the same finding, in no more steps and no more switches."""
    followed = Followed(space)
    shorter = _remove_runs(followed, schedule, finding_id)
    return _join_runs(followed, shorter, finding_id)


def _shows(followed: Followed, schedule: Schedule, finding_id: str) -> bool:
    try:
        return any(f.id == finding_id for f in followed.findings_of(schedule))
    except Exception:  # noqa: BLE001 - a schedule that ends in an error is not a shorter one
        return False


def _remove_runs(followed: Followed, schedule: Schedule, finding_id: str) -> Schedule:
    """Leave out runs of one context, longest stretches first, while the finding stays."""
    size = len(schedule)
    while size:
        start = 0
        while start < len(schedule):
            without = schedule[:start] + schedule[start + size :]
            if _shows(followed, without, finding_id):
                schedule = without
            else:
                start += size
        size //= 2
    return schedule


def _join_runs(followed: Followed, schedule: Schedule, finding_id: str) -> Schedule:
    """Move each run to where its context stepped last, or will step next, while that helps."""
    better = True
    while better:
        better = False
        for candidate in _joined(schedule):
            if switches(candidate) < switches(schedule) and _shows(followed, candidate, finding_id):
                schedule, better = candidate, True
                break
    return schedule


def _joined(schedule: Schedule) -> list[Schedule]:
    runs = [tuple(run) for _, run in groupby(schedule)]
    found = []
    for i, run in enumerate(runs):
        same = [j for j, other in enumerate(runs) if j != i and other[0] == run[0]]
        for j in sorted(same, key=lambda j: abs(i - j))[:2]:
            rest = runs[:i] + runs[i + 1 :]
            at = j + 1 if j < i else j - 1
            moved = [*rest[:at], run, *rest[at:]]
            found.append(tuple(step for part in moved for step in part))
    return found
