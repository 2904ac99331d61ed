"""Strong paths and the cycles that they close: dependencies that each really block the next.

A recursive reader does not wait for readers.  So a path that reaches a class only as a recursive
reader (`weak` below) cannot go on from a reader of that class.  A search remembers each visit by
class and weakness: remembering the class alone, as check_noncircular of Linux 6.12 does, lets a
weak arrival hide a strong one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeVar

from hgeisim.lockorder.graph.dependency_graph import (
    EN,
    FROM_EXCLUSIVE,
    TO_BLOCKING,
    Arc,
    Edge,
    Graph,
    mirrored,
)
from hgeisim.lockorder.graph.lock_class import LockClass

Spot = tuple[LockClass, bool]
"""A class on a path, and whether the path reached it weakly."""

T = TypeVar("T")
Skip = Callable[[LockClass], bool]
Relation = Callable[[Arc, Arc], bool]

CYCLES_TRIED_MAX = 20_000
"""Paths that a search for a cycle among witnesses extends before it takes the cycle as real."""


def ahead(graph: Graph, spot: Spot) -> Iterator[tuple[Edge, Spot]]:
    """Yield the ways on of a strong path, along the dependencies."""
    cls, weak = spot
    for edge in graph.leaving(cls):
        kinds = edge.kinds & FROM_EXCLUSIVE if weak else edge.kinds
        if kinds and not edge.quiet:
            yield edge, (edge.target, not kinds & TO_BLOCKING)


def back(graph: Graph, spot: Spot) -> Iterator[tuple[Edge, Spot]]:
    """Yield the ways by which a strong path can have come, against the dependencies."""
    cls, weak = spot
    for edge in graph.entering(cls):
        kinds = mirrored(edge.kinds) & (FROM_EXCLUSIVE if weak else ~0)
        if kinds and not edge.quiet:
            yield edge, (edge.source, not kinds & TO_BLOCKING)


Direction = Callable[[Graph, Spot], Iterator[tuple[Edge, Spot]]]


def shortest(
    graph: Graph,
    root: Spot,
    steps: Direction,
    match: Callable[[LockClass, bool], T | None],
    skip: Skip = lambda _: False,
) -> tuple[list[Edge], T] | None:
    """The shortest strong path from `root` to a spot that matches, maybe empty, and the match.

    `skip` classes are neither matched nor walked through, not even as the root.
    """
    came: dict[Spot, tuple[Spot, Edge] | None] = {root: None}
    queue = deque([] if skip(root[0]) else [root])
    while queue:
        spot = queue.popleft()
        found = match(*spot)
        if found is not None:
            return _unwound(came, spot), found
        for edge, following in steps(graph, spot):
            cls = following[0]
            # A strong arrival can do all that a weak one can, so after it a weak one is skipped.
            if not (following in came or (cls, False) in came or skip(cls)):
                came[following] = (spot, edge)
                queue.append(following)
    return None


def _unwound(came: dict[Spot, tuple[Spot, Edge] | None], spot: Spot) -> list[Edge]:
    """The path that led to a spot."""
    edges: list[Edge] = []
    while (step := came[spot]) is not None:
        spot, edge = step
        edges.append(edge)
    return edges[::-1]


def closing_path(graph: Graph, new: Arc) -> list[Edge] | None:
    """The shortest strong path that closes a cycle with a dependency; None: it is in no cycle."""

    def closes(cls: LockClass, weak: bool) -> bool | None:
        strong = not weak or new.kind & FROM_EXCLUSIVE
        return True if cls is new.edge.source and strong else None

    found = shortest(graph, (new.edge.target, not new.kind & TO_BLOCKING), ahead, closes)
    return found[0] if found else None


class Company(NamedTuple):
    """The witnesses that can be in one cycle: any two are `apart`, each next one `meets` the last.

    `quiet`: quiet dependencies count, too.
    """

    apart: Relation
    meets: Relation
    quiet: bool


def closing_arcs(graph: Graph, new: Arc, company: Company) -> tuple[tuple[Arc, ...], bool]:
    """The shortest cycle of witnesses that can be in it together, beginning with `new`.

    Empty when there is none.  The second value is False when the search was given up.
    """
    useful = ancestors(graph, new.edge.source)
    queue = deque([(new,)] if new.edge.target in useful else list[tuple[Arc, ...]]())
    for _ in range(CYCLES_TRIED_MAX):
        if not queue:
            return (), True
        path = queue.popleft()
        for arc in _continuations(graph, path, company):
            home = arc.edge.target is new.edge.source
            if home and _strong(arc.kind, new.kind) and company.meets(arc, new):
                return (*path, arc), True
            if arc.edge.target in useful:
                queue.append((*path, arc))
    return (), False


def ancestors(graph: Graph, cls: LockClass) -> set[LockClass]:
    """A class and all that it depends on, directly or not."""
    found, left = {cls}, [cls]
    while left:
        for edge in graph.entering(left.pop()):
            if edge.source not in found:
                found.add(edge.source)
                left.append(edge.source)
    return found


def _continuations(graph: Graph, path: tuple[Arc, ...], company: Company) -> Iterator[Arc]:
    last = path[-1]
    for edge in graph.leaving(last.edge.target):
        if edge.quiet and not company.quiet:
            continue
        for kind, witnesses in edge.witnesses.items():
            if _strong(last.kind, kind):
                arcs = (Arc(edge, kind, witness) for witness in witnesses)
                yield from (arc for arc in arcs if _fits(path, arc, company))


def _fits(path: tuple[Arc, ...], arc: Arc, company: Company) -> bool:
    """Whether a witness can be next, and leads where the path has not been."""
    spots = [(each.edge.target, each.witness.wanted, each.kind & TO_BLOCKING) for each in path]
    new = (arc.edge.target, arc.witness.wanted, arc.kind & TO_BLOCKING) not in spots
    return new and company.meets(path[-1], arc) and all(company.apart(each, arc) for each in path)


def _strong(kind: int, following: int) -> bool:
    """Whether the waiter of the first dependency waits for the holder of the following one."""
    return bool(kind & TO_BLOCKING or following & FROM_EXCLUSIVE)


def first_arcs(path: Sequence[Edge], before: int = EN) -> tuple[Arc, ...]:
    """A strong path as the first witnesses of each step showed it, after a dependency `before`.

    Of several kinds the one that leaves the next step free is taken, so no step is ever stuck.
    """
    arcs: list[Arc] = []
    for edge in path:
        kinds = [kind for kind in edge.witnesses if _strong(before, kind)]
        before = next((kind for kind in kinds if kind & TO_BLOCKING), kinds[0])
        arcs.append(Arc(edge, before, edge.witnesses[before][0]))
    return tuple(arcs)
