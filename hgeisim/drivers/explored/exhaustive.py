"""Search every interleaving, breadth first, each state once: the first way found is shortest."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from itertools import count

from hgeisim.checks.finding import Finding
from hgeisim.drivers.explored.ends import end_findings
from hgeisim.drivers.explored.space import Space
from hgeisim.drivers.explored.verdict import BOUNDED, Schedule, Verdict

Origins = dict[bytes, tuple[bytes, int] | None]
"""How each state was reached first: from which state, by which context."""


Progress = Callable[[int, int], None]
"""Told (states seen, states still to expand) now and then."""
PROGRESS_EVERY = 4096


def exhaustive(
    space: Space, states_max: int, avoid: str = "", progress: Progress | None = None
) -> Verdict:
    """Visit all reachable states, `states_max` at most.

    The verdict is `exhausted` when the queue ran empty, else `bounded`.  With `avoid`, the id of a
    finding, the search turns back where that finding shows: what is found then needs it not.
    """
    search = _Search(space, avoid)
    for number in count():
        if not search.queue:
            break
        search.expand(search.queue.popleft())
        if progress and number % PROGRESS_EVERY == 0:
            progress(len(search.origins), len(search.queue))
        if len(search.origins) >= states_max and search.queue:
            search.verdict.coverage, search.verdict.bound = BOUNDED, f"{states_max} states"
            break
    search.verdict.states = len(search.origins)
    return search.verdict


class _Search:
    """The states reached so far and those still to be expanded."""

    def __init__(self, space: Space, avoid: str) -> None:
        self.space, self.avoid, self.verdict = space, avoid, Verdict()
        start = space.initial()
        self.origins: Origins = {start: None}
        self.queue = deque([start])
        self.note(start, space.invariants.of(start))

    def expand(self, state: bytes) -> None:
        """Find the successors of a state."""
        stuck, origins = True, self.origins
        for slot, after, findings in self.space.successors(state):
            stuck = False
            self.verdict.transitions += 1
            if findings and self.note(state, findings, slot):
                continue
            if after not in origins:
                broken = self.space.invariants.of(after)
                if broken and self.note(state, broken, slot):
                    continue
                origins[after] = (state, slot)
                self.queue.append(after)
        if stuck:
            self.verdict.ends += 1
            self.note(state, end_findings(self.space, state))

    def note(self, state: bytes, findings: tuple[Finding, ...], *last: int) -> bool:
        """Keep what is new among the findings; True when the one to avoid is among them."""
        if self.avoid and any(finding.id == self.avoid for finding in findings):
            return True
        for finding in findings:
            if finding.id not in self.verdict.counterexamples:
                self.verdict.note(finding, (*self.schedule(state), *last))
        return False

    def schedule(self, state: bytes) -> Schedule:
        """How a state was reached."""
        steps = []
        origin = self.origins[state]
        while origin is not None:
            state, slot = origin
            steps.append(slot)
            origin = self.origins[state]
        return tuple(reversed(steps))
