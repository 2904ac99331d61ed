"""Guided replay: a kernel follows a schedule of another one, by the places of contexts, not steps.

A patch may take one lock more, or make one step less.  A schedule is about the place at which each
context is when another one goes on.  `continued` begins a new space at the end of a schedule.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import NamedTuple, TypeAlias

from hgeisim.drivers.explored.model.cached_step import after
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.model.terminal_states import end_findings
from hgeisim.drivers.explored.strategies.strategy import Able, CannotStep, Given, schedules
from hgeisim.drivers.explored.strategies.verdict import Schedule


def continued(space: Space, schedule: Schedule) -> Space:
    """The space that begins at the end of a schedule of single operations; `space` itself cannot be
    used any more.

    Raises `CannotStep` if a step of the schedule is impossible.
    """
    fine, system = space.fine, space.system
    state = fine.initial()
    for number, slot in enumerate(schedule):
        if slot >= len(system.automata):
            raise CannotStep(number, f"context {slot}")
        answer = fine.ask(slot, state)
        if answer.writes is None:
            raise CannotStep(number, system.automata[slot].name)
        state = after(state, answer.writes)
    system.start = fine.codebook.decode(state)
    return Space(system, space.checks, merging=True)


Place: TypeAlias = tuple[tuple[str, ...], str] | None
"""The call chain of a context and its next operation; None at rest."""
FURTHER = 40
"""A context may need this many steps more than in the other kernel to come to the same place."""


def place_of(space: Space, slot: int, state: bytes) -> Place:
    """The place of a context in a state."""
    node = space.node(slot, state)
    return None if node is None else (node.functions, str(node.op))


class Run(NamedTuple):
    """Steps of one context in a row: their number, the place after them, and how often the context
    has come to that place within them."""

    slot: int
    steps: int
    place: Place
    visits: int


def guided(space: Space, schedule: Schedule, other: Space) -> Schedule:
    """The schedule of the `other` kernel in which contexts change at the same places as in a
    schedule of a space; if one does not come to the place, it changes after as many steps."""
    fine, made = other.fine, list[int]()
    state = fine.initial()
    for run in _runs(space.fine, schedule):
        states = list(_on(fine, run, state)) if run.slot < len(fine.locations) else []
        places = [place_of(fine, run.slot, each) for each in states]
        visits = [n for n, place in enumerate(places, 1) if place == run.place]
        steps = visits[run.visits - 1] if len(visits) >= run.visits else min(run.steps, len(states))
        made += [run.slot] * steps
        state = states[steps - 1] if steps else state
    return tuple(made)


def _on(fine: Space, run: Run, state: bytes) -> Iterator[bytes]:
    """The states that a context reaches by itself, for somewhat longer than a run."""
    for _ in range(run.steps + FURTHER):
        answer = fine.ask(run.slot, state)
        if answer.writes is None or answer.crashes:
            return
        state = after(state, answer.writes)
        yield state


def _runs(fine: Space, schedule: Schedule) -> Iterator[Run]:
    """The runs of a schedule, as far as the space can follow it."""
    states = [step.after for steps in schedules(fine, Given([schedule])) for step in steps]
    made = 0
    for slot, steps in groupby(schedule[: len(states)]):
        count = len(list(steps))
        places = [place_of(fine, slot, state) for state in states[made : made + count]]
        made += count
        yield Run(slot, count, places[-1], places.count(places[-1]))


class _OnToTheEnd(Given):
    """Follows given schedules as far as possible, and then goes on to an end: the context that
    stepped last for as long as it can, then the first that can."""

    def choose(self, able: Able, last: int | None) -> int | None:
        """The context that the schedule names, or the last one again, or the first that can."""
        slot = super().choose(able, last)
        if slot is not None:
            return slot
        self.number = len(self.schedule)  # the schedule is not resumed
        return last if last in able else next(iter(able), None)


def replayed(space: Space, given: Iterable[Schedule]) -> frozenset[str]:
    """The ids of the findings of a kernel along schedules, followed as far as possible, and on to
    an end."""
    fine, ids = space.fine, set[str]()
    for schedule in schedules(fine, _OnToTheEnd(given, loose=True)):
        state = fine.initial()
        for step in schedule:
            state = step.after
            ids |= {each.id for each in (*step.findings, *fine.invariants.of(state))}
        if next(fine.successors(state), None) is None:
            ids |= {each.id for each in end_findings(fine, state)}
    return frozenset(ids)


def shown_when_guided(space: Space, given: Iterable[Schedule], other: Space) -> frozenset[str]:
    """The ids of the findings of another kernel along schedules of a space, followed both step by
    step and by place."""
    all_given = [*given]
    by_place = [guided(space, schedule, other) for schedule in all_given]
    return replayed(other, [*all_given, *by_place])
