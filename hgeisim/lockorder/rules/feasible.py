"""The feasibility of a cycle: whether its tasks can all be at their waits at the same time.

A cycle among classes is a hang only if different tasks can stand at all its waits at the same time.
They cannot when two of them would hold one lock in modes that exclude each other (a gate lock).
"""

from __future__ import annotations

from itertools import combinations

from hgeisim.lockorder.graph.cycles import Company, closing_arcs, closing_path, first_arcs
from hgeisim.lockorder.graph.dependency_graph import Arc, Edge, Graph, Hold, Witness
from hgeisim.lockorder.graph.lock_class import Flavour
from hgeisim.lockorder.report.violation import Grade


def several(one: Arc, other: Arc) -> bool:
    """Whether two witnesses are two tasks."""
    names = {one.witness.context, other.witness.context}
    return "" in names or len(names) > 1 or one.witness.merged or other.witness.merged


def compatible(one: Arc, other: Arc) -> bool:
    """Whether two tasks can be at their waits at once: neither holds what excludes the other."""
    return several(one, other) and not gates(one.witness, other.witness)


def gates(one: Witness, other: Witness) -> list[Hold]:
    """The locks that two witnesses cannot hold at the same time."""
    return [hold for hold in one.holds if any(_exclude(hold, each) for each in other.holds)]


def _exclude(one: Hold, other: Hold) -> bool:
    return one.lock is other.lock and Flavour.EXCLUSIVE in (one.flavour, other.flavour)


def meets(one: Arc, other: Arc) -> bool:
    """Whether what one witness waits for is an instance that the next one holds."""
    owner = other.witness.owner
    if owner is None or one.witness.merged or other.witness.merged:
        return True
    return owner.lock is one.witness.wanted


def _whoever(one: Arc, other: Arc) -> bool:
    return True


_STRICT = Company(compatible, meets, quiet=True)
_LOOSER = (
    (Grade.INSTANCES, Company(compatible, _whoever, quiet=False)),
    (Grade.GUARDED, Company(several, _whoever, quiet=False)),
)
"""From the strictest reading of a cycle to the loosest; what is left is one task's own doing."""


def find_cycle(graph: Graph, new: Arc) -> tuple[Grade, tuple[Arc, ...]] | None:
    """The shortest cycle through a dependency in the best grade that there is; None: no cycle.

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
    return None if path is None else _graded(graph, new, path)


def _graded(graph: Graph, new: Arc, path: list[Edge]) -> tuple[Grade, tuple[Arc, ...]]:
    """What keeps a cycle of classes from happening."""
    for grade, company in _LOOSER:
        arcs, complete = closing_arcs(graph, new, company)
        if arcs or not complete:
            return grade, arcs or (new, *first_arcs(path, new.kind))
    return Grade.ONE_TASK, (new, *first_arcs(path, new.kind))


def gate_names(arcs: tuple[Arc, ...]) -> tuple[str, ...]:
    """The instances that keep the witnesses of a cycle apart, each once."""
    pairs = combinations([arc.witness for arc in arcs], 2)
    found = [hold.lock.name for one, other in pairs for hold in gates(one, other)]
    return tuple(dict.fromkeys(found))
