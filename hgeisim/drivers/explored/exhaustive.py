"""Search every interleaving, breadth first, each state once: the first counterexample is shortest."""

from __future__ import annotations

from collections import deque

from hgeisim.checks.finding import Finding
from hgeisim.drivers.explored.ends import end_findings
from hgeisim.drivers.explored.space import Space
from hgeisim.drivers.explored.verdict import BOUNDED, Schedule, Verdict

Origins = dict[bytes, tuple[bytes, int] | None]
"""How each state was reached first: from which state, by which context."""


def exhaustive(space: Space, states_max: int) -> Verdict:
    """Visit all reachable states, `states_max` at most.

    The verdict is `exhausted` when the queue ran empty, else `bounded`.
    """
    verdict = Verdict()
    start = space.initial()
    origins: Origins = {start: None}
    queue = deque([start])
    _note(verdict, origins, start, space.invariants.of(start))
    while queue:
        state = queue.popleft()
        _expand(space, verdict, origins, queue, state)
        if len(origins) >= states_max and queue:
            verdict.coverage, verdict.bound = BOUNDED, f"{states_max} states"
            break
    verdict.states = len(origins)
    return verdict


def _expand(
    space: Space, verdict: Verdict, origins: Origins, queue: deque[bytes], state: bytes
) -> None:
    stuck = True
    for slot, after, findings in space.successors(state):
        stuck = False
        verdict.transitions += 1
        if findings:
            _note(verdict, origins, state, findings, slot)
        if after not in origins:
            origins[after] = (state, slot)
            queue.append(after)
            broken = space.invariants.of(after)
            if broken:
                _note(verdict, origins, after, broken)
    if stuck:
        verdict.ends += 1
        _note(verdict, origins, state, end_findings(space, state))


def _note(
    verdict: Verdict,
    origins: Origins,
    state: bytes,
    findings: tuple[Finding, ...],
    *last: int,
) -> None:
    for finding in findings:
        if finding.id not in verdict.counterexamples:
            verdict.note(finding, (*_schedule(origins, state), *last))


def _schedule(origins: Origins, state: bytes) -> Schedule:
    steps = []
    origin = origins[state]
    while origin is not None:
        state, slot = origin
        steps.append(slot)
        origin = origins[state]
    return tuple(reversed(steps))
