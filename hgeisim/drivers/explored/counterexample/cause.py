"""The cause of a counterexample: the calls that take part in it, and those that led to it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice

from hgeisim.checks.finding import NOT_KNOWN, Cause, entry_function, landmarks
from hgeisim.drivers.explored.counterexample.replay import NotShown, Traced, TracedStep, trace
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.model.terminal_states import wait_cycle
from hgeisim.drivers.explored.strategies.verdict import Schedule
from hgeisim.kernel.script import SCRIPTED

DATA = re.compile(
    r"(free_bitmap|owners\[\d+\]|\.(vsfile|pte)_(cpu|hgei)|\.freed|\.(swfile|data)\.[\w.]+"
    r"|\.(eidelivery|eithreshold|eip|eie)\[\d+\]|\.hgei[ep]|\.sgeie)$"
)
"""The cells that hold the lines, their owners and the interrupt files."""


def cause_of(space: Space, schedule: Schedule, finding_id: str) -> Cause:
    """The landmarks before a finding, the parties whose steps make it up, and those whose steps led
    to these."""
    try:
        traced = trace(space, schedule, finding_id)
    except NotShown:
        return NOT_KNOWN
    happened = landmarks(name for step in traced.steps for name in step.functions)
    cause = traced.finding.cause
    if cause.parties is None:
        parties = _entries(_taking_part(space, traced))
        leading = _entries(step.functions for step in _leading(space, traced))
        cause = cause._replace(parties=parties, leading=parties | leading)
    return cause.after(happened)


def _entries(chains: Iterable[tuple[str, ...]]) -> frozenset[str]:
    return frozenset(map(entry_function, chains)) - {""}


def _taking_part(space: Space, traced: Traced) -> Iterator[tuple[str, ...]]:
    """The call chains of the steps that last wrote what the check looked at, and of the last step;
    in a deadlock, those in which contexts wait for each other."""
    for cell in sorted(traced.cells):
        writers = (step for step in reversed(traced.steps) if cell in step.changes)
        yield from (step.functions for step in islice(writers, 1))
    if not traced.at_end:
        yield from (step.functions for step in traced.steps[-1:])
    elif traced.finding.kind == "deadlock":
        yield from _waiting(space, traced.final)


def _leading(space: Space, traced: Traced) -> Iterator[TracedStep]:
    """The steps on which the finding depends by the data of AIA: those that last wrote what the
    check looked at or what another such step read, and the steps before in the same call.

    To write the same value again is to write: a file that is copied when it was empty came to be
    empty by whoever emptied it.
    """
    names, wanted, calls = space.system.memory.names, {*traced.cells}, dict[int, str]()
    for place in range(len(traced.steps) - 1, -1, -1):
        slot, step = traced.schedule[place], traced.steps[place]
        call = next((name for name in step.functions if name not in SCRIPTED), "")
        last = place == len(traced.steps) - 1 and not traced.at_end
        if last or calls.get(slot) == call or not wanted.isdisjoint(step.writes):
            calls[slot] = call
            wanted.difference_update(step.writes)
            wanted.update(cell for cell in step.reads if DATA.search(names[cell]))
            yield step


def _waiting(space: Space, state: bytes) -> Iterator[tuple[str, ...]]:
    """The call chains of contexts that wait for each other; of all that have not finished where
    there is no such cycle."""
    cycle = [each.functions for each in wait_cycle(space, state) if each.wants is not None]
    nodes = (space.fine.node(slot, state) for slot in space.fine.pending(state))
    yield from cycle or (node.functions for node in nodes if node is not None)
