"""Schedules that keep an order from the start to their end, and whether each shows a finding."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from hgeisim.checks.catalogue import is_lock_order
from hgeisim.drivers.explored.counterexample.events import Happened, Progress
from hgeisim.drivers.explored.counterexample.order import Contrary, Edge, Keeping
from hgeisim.drivers.explored.model.endless import endless
from hgeisim.drivers.explored.model.ends import end_findings
from hgeisim.drivers.explored.model.livelock import no_end_from
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.strategies.lock_walks import shown_alone
from hgeisim.drivers.explored.strategies.strategy import Below, Given, Prefix, Step, schedules
from hgeisim.drivers.explored.strategies.verdict import Schedule


class Completion(NamedTuple):
    """What happened in a schedule, up to where it shows the finding if it does (`shows`)."""

    schedule: Schedule
    run: tuple[Happened, ...]
    shows: bool


def completions(
    space: Space, finding_id: str, edges: Iterable[Edge], number: int, below: Below
) -> Iterator[Completion]:
    """Yield a number of schedules that keep an order, and are contrary in everything else."""
    space = space.fine
    keeping = Keeping(tuple(edges), Contrary(space, below, number), Progress(space))
    for steps in schedules(space, keeping):
        schedule, shows = _gone_through(space, steps, finding_id)
        yield Completion(schedule, tuple(keeping.run), shows)


def always_shows(space: Space, first: Schedule, finding_id: str, number: int, below: Below) -> bool:
    """Whether all of a number of schedules that begin in one way show the finding."""
    space = space.fine
    made = schedules(space, Prefix(first, Contrary(space, below, number)))
    return all(_gone_through(space, steps, finding_id)[1] for steps in made)


def _gone_through(space: Space, steps: Iterator[Step], finding_id: str) -> tuple[Schedule, bool]:
    """Make the steps of a schedule until the finding shows."""
    schedule, state = list[int](), space.initial()
    for step in steps:
        schedule.append(step.slot)
        state = step.after
        found = (*step.findings, *space.invariants.of(state))
        if any(finding.id == finding_id for finding in found):
            return tuple(schedule), True
        if is_caught(space, state, finding_id):
            return tuple(schedule), True
    if shows_at_end(space, state, finding_id):
        return tuple(schedule), True
    alone = is_lock_order(finding_id) and finding_id in shown_alone(space, tuple(schedule))
    return tuple(schedule), alone


def shows_at_end(space: Space, state: bytes, finding_id: str) -> bool:
    """Whether a state shows a finding in which nothing can happen any more, or only what goes round
    for ever."""
    if next(space.successors(state), None) is None:
        found = end_findings(space, state)
    else:
        if is_caught(space, state, finding_id):
            return True
        found = endless(space, state) if finding_id.startswith("endless:") else ()
    return any(finding.id == finding_id for finding in found)


def is_caught(space: Space, state: bytes, finding_id: str) -> bool:
    """Whether a finding is that nothing comes to an end, and it is so from a state on: whatever
    comes next, it goes round."""
    livelock = finding_id.startswith("livelock:")
    return livelock and no_end_from(space, space.codebook.decode(state))


def what_happened(space: Space, schedule: Schedule) -> tuple[Happened, ...]:
    """The steps of a schedule by name."""
    progress = Progress(space.fine)
    made = schedules(space.fine, Given([schedule]))
    return tuple(progress.note(s.slot, s.before, s.after) for steps in made for s in steps)
