"""The slice of a schedule: the order on which its finding depends.

Every schedule that keeps the order shows the finding; with less of it, some do not.  An order is
enough if no schedule that keeps it fails to show the finding.  Each schedule that does fail for an
order that was tried breaks some edges of the original schedule, and an order that is enough has one
of those.  So the smallest order that hits every failure so far is tried next, until none fails (an
implicit hitting set; Moreno-Centeno and Karp, Operations Research 61, 2013).  Edges are drawn
between steps that touch the same cell; the cells that the check reads count as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from hgeisim.checks.catalogue import is_lock_order
from hgeisim.drivers.explored.counterexample.completions import (
    TooMany,
    WholeOrder,
    completions,
    what_happened,
)
from hgeisim.drivers.explored.counterexample.event_order import Edge, Event, Happened, Progress
from hgeisim.drivers.explored.counterexample.replay import Traced, TracedStep
from hgeisim.drivers.explored.model.cached_step import after
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.strategies.strategy import Below

TRIES = 300
"""Schedules of an order that are tried before all of them, or instead of all."""
ROUNDS_MAX = 400
"""Orders that are tried at most."""
Weight = Callable[[str], int]
"""The distance of a cell, given by its name, from what a reader cares about; 1 is the nearest."""
OF_ORDER_ONLY = 90
"""The weight of an edge between two steps that share nothing."""


class Candidate(NamedTuple):
    """An edge, the two steps of the schedule that it connects, the cell that both touch if there is
    one, and its weight.  Steps count from 0; without `comes`, the second one is not in it."""

    edge: Edge
    first: int
    then: int
    cell: int | None
    weight: int
    comes: bool = True


@dataclass(frozen=True)
class Slice:
    """An order; if it is `enough`, `schedules` is the number of those that were tried to see that,
    None for all."""

    order: tuple[Candidate, ...]
    schedules: int | None
    enough: bool = True


def slice_of(space: Space, traced: Traced, below: Below, weight: Weight) -> Slice:
    """Look for an order that is enough for the finding."""
    known = list(candidates(space, traced, weight))
    failures: list[list[int]] = []
    order: list[int] = []
    for _ in range(ROUNDS_MAX):
        found = _trial(space, traced.finding.id, [known[i].edge for i in order], below)
        if found.failing is None:
            return Slice(_in_order(known, order), found.schedules)
        broken = broken_in(found.failing, known)
        if not broken:
            break
        failures.append(broken)
        order = hitting(failures, known)
    return Slice(_in_order(known, order), None, enough=False)


class Trial(NamedTuple):
    """The events of a schedule that does not show the finding, None if there is no such schedule;
    and the number of schedules tried, None for all."""

    failing: tuple[Happened, ...] | None
    schedules: int | None


def _trial(space: Space, finding_id: str, edges: list[Edge], below: Below) -> Trial:
    """Try an order with a sample first, which fails soon if much is missing, then with all."""
    for made in completions(space, finding_id, edges, TRIES, below):
        if not made.shows:
            return Trial(made.run, TRIES)
    if is_lock_order(finding_id):
        return Trial(None, TRIES)
    try:
        failing = WholeOrder(space, finding_id, edges).failing()
    except TooMany:
        return Trial(None, TRIES)
    return Trial(None if failing is None else what_happened(space, failing), None)


def _in_order(known: list[Candidate], order: list[int]) -> tuple[Candidate, ...]:
    return tuple(sorted((known[i] for i in order), key=lambda each: (each.then, each.first)))


def candidates(space: Space, traced: Traced, weight: Weight) -> Iterator[Candidate]:
    """The edges of a schedule: between steps of two contexts that touch the same cell, between
    steps where the context changes, and from the last step to the next step of each context."""
    steps, last = traced.steps, len(traced.steps) - 1
    for then, step in enumerate(steps):
        for first in range(then):
            if steps[first].happened.event.slot != step.happened.event.slot:
                cells = _shared(steps[first], step, traced.cells if then == last else frozenset())
                best = _best(space, cells, weight)
                if best is not None:
                    yield Candidate(_edge(steps, first, then), first, then, *best)
                elif first == then - 1:
                    yield Candidate(_edge(steps, first, then), first, then, None, OF_ORDER_ONLY)
    yield from _stays(space, traced)


def _stays(space: Space, traced: Traced) -> Iterator[Candidate]:
    """The edges by which no other context goes on before the last step."""
    fine, progress = space.fine, Progress(space.fine)
    state = fine.initial()
    for slot in traced.schedule:
        before, state = state, after(state, fine.ask(slot, state).writes or ())
        progress.note(slot, before, state)
    last, place = traced.steps[-1].happened, len(traced.steps)
    for slot in range(len(fine.locations)):
        if slot != last.event.slot:
            coming = progress.coming(slot, traced.final)
            edge = Edge(last.event, coming, enough=last.waits, free=progress.waits[slot])
            yield Candidate(edge, place - 1, place, None, OF_ORDER_ONLY, comes=False)


def _edge(steps: tuple[TracedStep, ...], first: int, then: int) -> Edge:
    one, other = steps[first].happened, steps[then].happened
    waits = [s.happened.waits for s in steps[:then] if s.happened.event == other.event]
    return Edge(one.event, other.event, enough=one.waits, free=max(waits, default=0))


def _shared(one: TracedStep, other: TracedStep, looked_at: frozenset[int]) -> frozenset[int]:
    """The cells that make the order of two steps matter."""
    reads = looked_at.union(other.reads)
    written = one.writes.keys() & reads.union(other.writes)
    return frozenset(written | (other.writes.keys() & one.reads.keys()))


def _best(space: Space, cells: frozenset[int], weight: Weight) -> tuple[int, int] | None:
    """The cell with the least weight, and that weight; the places of contexts do not count."""
    names = space.system.memory.names
    rated = [(weight(names[cell]), cell) for cell in cells if names[cell][:3] != "pc "]
    return min(rated)[::-1] if rated else None


def broken_in(run: tuple[Happened, ...], known: list[Candidate]) -> list[int]:
    """The edges that a schedule does not keep, by their places in `known`."""
    came: dict[Event, list[tuple[int, Happened]]] = {}
    for number, happened in enumerate(run):
        came.setdefault(happened.event, []).append((number, happened))
    broken = []
    for i, (edge, *_) in enumerate(known):
        held = next((n for n, step in came.get(edge.then, ()) if edge.held_by(step)), None)
        freed = next((n for n, step in came.get(edge.first, ()) if edge.freed_by(step)), None)
        if held is not None and (freed is None or freed > held):
            broken.append(i)
    return broken


def hitting(failures: list[list[int]], known: list[Candidate]) -> list[int]:
    """A small and cheap set of edges with at least one of each failure: chosen greedily, then
    without the edges that turn out to be superfluous."""
    chosen: list[int] = []
    left = failures
    while left:
        hits: dict[int, int] = {}
        for broken in left:
            for i in broken:
                hits[i] = hits.get(i, 0) + 1
        best = min(hits, key=lambda i: (known[i].weight / hits[i], i))
        chosen.append(best)
        left = [broken for broken in left if best not in broken]
    sets = [set(broken) for broken in failures]
    for i in sorted(chosen, key=lambda i: -known[i].weight):
        rest = set(chosen) - {i}
        if all(rest & each for each in sets):
            chosen.remove(i)
    return chosen
