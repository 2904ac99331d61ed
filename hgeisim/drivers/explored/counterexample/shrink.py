"""Make counterexamples easier to read: fewer other hazards, fewer steps, fewer context switches.

In a patch with two faults the shortest counterexample often uses both.  A counterexample should
need its own hazard and as few others as possible.  For each hazard that shows on the way to another
finding, `isolate` searches again without it; if that search still reaches the finding, the schedule
that needs fewer hazards replaces the shortest one.  Accepted hazards weigh less: they are in every
kernel.

Breadth-first search already gives the fewest steps; a random walk does not (`shrink`).  Both mix
steps of different contexts where their order does not matter, but a reader wants each context to go
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
            for known in mixed:
                candidate = without.counterexamples.get(known.finding.id)
                if candidate and _weight(space, candidate) < _weight(space, known):
                    verdict.counterexamples[known.finding.id] = candidate
            if without.stopped is not None:
                verdict.stopped = without.stopped
                return


def others(space: Space, counterexample: Counterexample) -> tuple[str, ...]:
    """The ids of the findings that a counterexample shows besides its own, sorted."""
    shown = findings_of(space, counterexample.schedule)
    return tuple(sorted({f.id for f in shown} - {counterexample.finding.id}))


def _hazard(space: Space, finding_id: str) -> str:
    k = space.system.k
    return hazard(finding_id, k.name, k.realtime)


def _others(space: Space, counterexample: Counterexample) -> set[str]:
    own = _hazard(space, counterexample.finding.id)
    return {_hazard(space, i) for i in others(space, counterexample)} - {own}


def _weight(space: Space, counterexample: Counterexample) -> tuple[int, int]:
    """The number of other hazards that a counterexample needs: those not accepted, and all."""
    others_here = _others(space, counterexample)
    k = space.system.k
    ids = new_findings(of_ids(others(space, counterexample)), k.name, realtime=k.realtime)
    return len({_hazard(space, i) for i in ids} & others_here), len(others_here)


def shrink_all(space: Space, verdict: Verdict) -> None:
    """Shrink each counterexample of a verdict; find its cause and what else shows on its way."""
    for finding_id, long in list(verdict.counterexamples.items()):
        schedule = shrink(space, long.schedule, finding_id)
        shown = (f for f in findings_of(space, schedule) if f.id == finding_id)
        cause = cause_of(space, schedule, finding_id)
        finding = replace(next(shown, long.finding), cause=cause)
        short = Counterexample(finding, schedule)
        verdict.counterexamples[finding_id] = replace(short, also_shows=others(space, short))


def shrink(space: Space, schedule: Schedule, finding_id: str) -> Schedule:
    """Return a schedule that shows the same finding in no more steps and no more switches."""
    followed = Followed(space)
    shorter = _remove_runs(followed, schedule, finding_id)
    return _join_runs(followed, shorter, finding_id)


def _shows(followed: Followed, schedule: Schedule, finding_id: str) -> bool:
    try:
        return any(f.id == finding_id for f in followed.findings_of(schedule))
    except Exception:  # noqa: BLE001 - a schedule that ends in an error is not a shorter one
        return False


def _remove_runs(followed: Followed, schedule: Schedule, finding_id: str) -> Schedule:
    """Remove stretches of the schedule, longest first, as long as it still shows the finding."""
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
    """Move a run to where its context stepped last, or will step next, as long as that helps."""
    while True:
        fewer = (each for each in _joined(schedule) if switches(each) < switches(schedule))
        better = next((each for each in fewer if _shows(followed, each, finding_id)), None)
        if better is None:
            return schedule
        schedule = better


def _joined(schedule: Schedule) -> list[Schedule]:
    """The schedules with one run moved next to a near run of the same context."""
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
