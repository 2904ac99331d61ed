"""Random walks: each step by a context drawn from those that can step, until nothing can.

A walk goes in the steps of its space, which may be several operations long; the schedules that it
notes are told in single operations.
"""

from __future__ import annotations

from collections.abc import Callable

from hgeisim.checks.finding import Finding
from hgeisim.drivers.explored.ends import end_findings
from hgeisim.drivers.explored.space import Space
from hgeisim.drivers.explored.verdict import SAMPLED, Enough, Verdict, never


def random_walk(
    space: Space, schedules: int, below: Callable[[int], int], enough: Enough = never
) -> Verdict:
    """Run a number of random schedules; `below(n)` draws an integer of 0..n-1.

    Fewer of them when a finding is `enough`, or something stops the walks.
    """
    verdict = Verdict(SAMPLED, enough=enough)
    seen: set[bytes] = set()
    space.make_room()
    number = 0
    with verdict.kept():
        for number in range(1, schedules + 1):  # noqa: B007 - how far it came is asked below
            _walk(space, verdict, below, seen)
    verdict.states, verdict.coverage = len(seen), SAMPLED
    verdict.bound = f"{number} random schedules"
    return verdict


def _walk(space: Space, verdict: Verdict, below: Callable[[int], int], seen: set[bytes]) -> None:
    state = space.initial()
    schedule: list[int] = []
    while True:
        seen.add(state)
        choices = list(space.successors(state))
        if not choices:
            break
        slot, state, findings = choices[below(len(choices))]
        schedule.append(slot)
        verdict.transitions += 1
        _note(space, verdict, (*findings, *space.invariants.of(state)), schedule)
    verdict.ends += 1
    _note(space, verdict, end_findings(space, state), schedule)


def _note(
    space: Space, verdict: Verdict, findings: tuple[Finding, ...], schedule: list[int]
) -> None:
    for finding in findings:
        if finding.id not in verdict.counterexamples:
            verdict.note(finding, space.in_full(schedule))
