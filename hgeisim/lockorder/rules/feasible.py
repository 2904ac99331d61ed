"""The feasibility of a cycle: whether different tasks can stand at all its waits simultaneously.

Only then is a cycle among classes a hang.  They cannot when two of them would hold one lock in
modes that exclude each other (a gate lock).
"""

from __future__ import annotations

from itertools import combinations

from hgeisim.lockorder.graph.cycles import Company, closing_arcs, closing_path, first_arcs
from hgeisim.lockorder.graph.dependency_graph import Arc, Graph, Hold, Witness
from hgeisim.lockorder.graph.lock_class import Flavour
from hgeisim.lockorder.report.violation import Grade


def two_tasks(one: Arc, other: Arc) -> bool:
    """Whether two witnesses can be two different tasks."""
    names = {one.witness.context, other.witness.context}
    return "" in names or len(names) > 1 or one.witness.merged or other.witness.merged


def compatible(one: Arc, other: Arc) -> bool:
    """Whether two tasks can wait simultaneously: neither holds a lock that excludes the other."""
    return two_tasks(one, other) and not gates(one.witness, other.witness)


def gates(one: Witness, other: Witness) -> list[Hold]:
    """The locks that two witnesses cannot hold at the same time."""
    return [
        hold
        for hold in one.holds
        for each in other.holds
        if hold.lock is each.lock and Flavour.EXCLUSIVE in (hold.flavour, each.flavour)
    ]


def meets(one: Arc, other: Arc) -> bool:
    """Whether one witness waits for an instance that the next one holds."""
    owner = other.witness.owner
    if owner is None or one.witness.merged or other.witness.merged:
        return True
    return owner.lock is one.witness.wanted


def _any_instance(one: Arc, other: Arc) -> bool:
    return True


_STRICT = Company(compatible, meets, quiet=True)
_LOOSER = (
    (Grade.INSTANCES, Company(compatible, _any_instance, quiet=False)),
    (Grade.GUARDED, Company(two_tasks, _any_instance, quiet=False)),
)
"""The looser readings of a cycle, the stricter first; beyond them one task does all of it."""


def find_cycle(graph: Graph, new: Arc) -> tuple[Grade, tuple[Arc, ...]] | None:
    """The shortest cycle through a dependency, in the worst grade that it has; None: no cycle.

    A search that was given up counts as possible: the label must never hide a hang.
    """
    if graph.ranks.apart(new.edge.source, new.edge.target):
        return None
    arcs, complete = closing_arcs(graph, new, _STRICT)
    if arcs:
        return Grade.POSSIBLE, arcs
    path = None if new.edge.quiet else closing_path(graph, new)
    if not complete:
        return Grade.POSSIBLE, (new, *first_arcs(path or [], new.kind))
    if path is None:
        return None
    by_class = (new, *first_arcs(path, new.kind))
    for grade, company in _LOOSER:
        arcs, complete = closing_arcs(graph, new, company)
        if arcs or not complete:
            return grade, arcs or by_class
    return Grade.ONE_TASK, by_class


def gate_names(arcs: tuple[Arc, ...]) -> tuple[str, ...]:
    """The instances that keep the witnesses of a cycle apart, each once."""
    pairs = combinations([arc.witness for arc in arcs], 2)
    found = [hold.lock.name for one, other in pairs for hold in gates(one, other)]
    return tuple(dict.fromkeys(found))
