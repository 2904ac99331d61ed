"""A kernel led along a schedule of another one: by where its contexts stand, not by their steps.

A patch may take a lock more, or a step less.  What a schedule is about is where each context stands
when another one goes on.  `continued` begins a new space where a schedule has led.
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
    """What can happen after a schedule in single operations; the space that it is of is used up.

    Raises `CannotStep` where a context cannot step in its turn.
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
"""The call chain in which a context stands, and its next operation; None at rest."""
FURTHER = 40
"""Steps more than the other kernel made, within which a context may come to the same place."""


def place_of(space: Space, slot: int, state: bytes) -> Place:
    """Where a context stands."""
    automaton = space.system.automata[slot]
    node = automaton.nodes[space.codebook.value(automaton.location, state)]
    return None if node is None else (node.functions, str(node.op))


class Run(NamedTuple):
    """Steps of one context in a row: how many, where it stands then, and how often it has stood
    there in this run."""

    slot: int
    steps: int
    place: Place
    visits: int


def led(space: Space, schedule: Schedule, other: Space) -> Schedule:
    """The schedule of the `other` kernel in which contexts change where they do in a schedule of a
    space; where one does not come to such a place, after as many steps."""
    fine, made = other.fine, list[int]()
    state = fine.initial()
    for run in _runs(space.fine, schedule):
        states = list(_on(fine, run, state)) if run.slot < len(fine.locations) else []
        visits = [
            n for n, each in enumerate(states, 1) if place_of(fine, run.slot, each) == run.place
        ]
        steps = visits[run.visits - 1] if len(visits) >= run.visits else min(run.steps, len(states))
        made += [run.slot] * steps
        state = states[steps - 1] if steps else state
    return tuple(made)


def _on(fine: Space, run: Run, state: bytes) -> Iterator[bytes]:
    """The states that a context leads to by itself, for somewhat longer than a run."""
    for _ in range(run.steps + FURTHER):
        answer = fine.ask(run.slot, state)
        if answer.writes is None or answer.crashes:
            return
        state = after(state, answer.writes)
        yield state


def _runs(fine: Space, schedule: Schedule) -> Iterator[Run]:
    """The runs of a schedule, as far as it goes."""
    states = [step.after for steps in schedules(fine, Given([schedule])) for step in steps]
    made = 0
    for slot, steps in groupby(schedule[: len(states)]):
        count = len(list(steps))
        places = [place_of(fine, slot, state) for state in states[made : made + count]]
        made += count
        yield Run(slot, count, places[-1], places.count(places[-1]))


class _OnToTheEnd:
    """Given schedules, as far as they can be followed, and then on: whoever stepped last goes on
    for as long as it can, then the first that can."""

    def __init__(self, given: Iterable[Schedule]) -> None:
        self.given = Given(given, loose=True)

    def begin(self) -> bool:
        """Take the next one."""
        return self.given.begin()

    def choose(self, able: Able, last: int | None) -> int | None:
        """What the schedule says, or the same again, or the first that can step."""
        slot = self.given.choose(able, last)
        if slot is not None:
            return slot
        self.given.number = len(self.given.schedule)  # it is not taken up again
        return last if last in able else next(iter(able), None)


def replayed(space: Space, given: Iterable[Schedule]) -> frozenset[str]:
    """The ids of what a kernel shows along schedules, as far as it can follow, and on to an end."""
    fine, ids = space.fine, set[str]()
    for schedule in schedules(fine, _OnToTheEnd(given)):
        state = fine.initial()
        for step in schedule:
            state = step.after
            ids |= {each.id for each in (*step.findings, *fine.invariants.of(state))}
        if next(fine.successors(state), None) is None:
            ids |= {each.id for each in end_findings(fine, state)}
    return frozenset(ids)


def shown_when_led(space: Space, given: Iterable[Schedule], other: Space) -> frozenset[str]:
    """The ids of what another kernel shows along schedules of a space, step by step and by
    place."""
    all_given = [*given]
    by_place = [led(space, schedule, other) for schedule in all_given]
    return replayed(other, [*all_given, *by_place])
