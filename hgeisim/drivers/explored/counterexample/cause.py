"""The cause of a counterexample, read from its schedule."""

from __future__ import annotations

from collections.abc import Iterator

from hgeisim.checks.cause import NOT_KNOWN, Cause, entry_function, landmarks
from hgeisim.drivers.explored.counterexample.traced import NotShown, Traced, trace
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.strategies.verdict import Schedule


def cause_of(space: Space, schedule: Schedule, finding_id: str) -> Cause:
    """What happened before the finding, and whose steps it is made of."""
    try:
        traced = trace(space, schedule, finding_id)
    except NotShown:
        return NOT_KNOWN
    happened = landmarks(name for step in traced.steps for name in step.functions)
    cause = traced.finding.cause
    if cause.parties is None:
        parties = frozenset(map(entry_function, _taking_part(space, traced))) - {""}
        cause = cause._replace(parties=parties)
    return cause.after(happened)


def _taking_part(space: Space, traced: Traced) -> Iterator[tuple[str, ...]]:
    """The call chains of those that last wrote what the check looked at, and of the last step; in a
    deadlock, those in which contexts wait."""
    for cell in sorted(traced.cells):
        writers = (step for step in reversed(traced.steps) if cell in step.changes)
        yield from (step.functions for step in list(writers)[:1])
    if not traced.at_end:
        yield from (step.functions for step in traced.steps[-1:])
    elif traced.finding.kind == "deadlock":
        yield from _waiting(space, traced.final)


def _waiting(space: Space, state: bytes) -> Iterator[tuple[str, ...]]:
    fine = space.fine
    for slot in fine.pending(state):
        automaton = fine.system.automata[slot]
        node = automaton.nodes[fine.codebook.value(automaton.location, state)]
        if node is not None:
            yield node.functions
