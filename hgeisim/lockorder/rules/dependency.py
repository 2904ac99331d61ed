"""A new dependency, and what it closes: cycles of waits, and irq inversions.

An inversion is an irq-safe class that leads to an irq-unsafe one.  CPU 0 is interrupted while it
holds the unsafe class, and the handler wants the safe one; CPU 1 holds that one and waits, over any
number of steps, for the unsafe one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from hgeisim.lockorder.graph.cycles import ahead, back, first_arcs, shortest
from hgeisim.lockorder.graph.dependency_graph import FROM_EXCLUSIVE, TO_BLOCKING, Arc, Edge, Graph
from hgeisim.lockorder.graph.lock_class import Flavour, How, LockClass
from hgeisim.lockorder.graph.usage import LINES, Bit, Mark, Usage
from hgeisim.lockorder.report.violation import Grade, LockView, cycle_about
from hgeisim.lockorder.rules.feasible import find_cycle, gate_names
from hgeisim.lockorder.rules.viewpoint import View, link


@dataclass(frozen=True)
class Inversion:
    """A path from a safe class to an unsafe one, with the two marks that make it dangerous."""

    safe: Mark
    unsafe: Mark
    path: tuple[Edge, ...]


def inversion(
    graph: Graph, usage: Usage, cls: LockClass, mark: Mark, flavour: Flavour
) -> Inversion | None:
    """The inversion that a new bit of a class closes: the search looks ahead from a safe class, and
    back from an unsafe one."""
    opposite = (mark.bit.opposite(read=False), mark.bit.opposite(read=True))
    if not usage.any_has(opposite):
        return None
    used_in = mark.bit.used_in
    weak = flavour == Flavour.RECURSIVE if used_in else flavour != Flavour.EXCLUSIVE
    match = _marked(usage, opposite, besides=cls)
    found = shortest(graph, (cls, weak), ahead if used_in else back, match, per_cpu)
    if found is None:
        return None
    path, other = found
    return (
        Inversion(mark, other, tuple(path)) if used_in else Inversion(other, mark, (*path[::-1],))
    )


def inversions(graph: Graph, usage: Usage, new: Arc) -> Iterator[Inversion]:
    """Yield the inversions that a new dependency closes: safe classes behind it lead to unsafe ones
    ahead of it."""
    for line in LINES:
        safe = Bit(line, True, False), Bit(line, True, True)
        unsafe = Bit(line, False, False), Bit(line, False, True)
        if not (usage.any_has(safe) and usage.any_has(unsafe)):
            continue
        source = (new.edge.source, not new.kind & FROM_EXCLUSIVE)
        before = shortest(graph, source, back, _marked(usage, safe), per_cpu)
        if before is None:
            continue
        target = (new.edge.target, not new.kind & TO_BLOCKING)
        after = shortest(graph, target, ahead, _marked(usage, unsafe), per_cpu)
        if after is not None:
            yield Inversion(before[1], after[1], (*before[0][::-1], new.edge, *after[0]))


def per_cpu(cls: LockClass) -> bool:
    """Whether a class keeps other CPUs from nothing: no inversion leads through it."""
    return cls.kind.local or cls.kind.override


def _marked(
    usage: Usage, bits: tuple[Bit, ...], besides: LockClass | None = None
) -> Callable[[LockClass, bool], Mark | None]:
    """A match for classes that have one of some bits; it finds the mark.

    A class that is reached weakly does not wait for readers, so only its writers count.
    """

    def match(cls: LockClass, weak: bool) -> Mark | None:
        if cls is besides:
            return None
        return usage.first(cls, tuple(bit for bit in bits if not (weak and bit.read)))

    return match


def depend(view: View, new: Arc, quiet: bool = False) -> None:
    """Note that a context waited while it held something, and report what this closes.

    A further witness of a known dependency can make a cycle possible that was guarded before.
    """
    edge = new.edge
    loud = edge.quiet and not quiet
    fresh = loud or not edge.kinds & new.kind
    edge.quiet = edge.quiet and quiet
    if edge.add(new.kind, new.witness) or loud:
        _report_cycle(view, new)
    if fresh and not edge.quiet:
        for found in inversions(view.known.graph, view.known.usage, new):
            report_inversion(view, "irq-dependency", found, new)


def _report_cycle(view: View, new: Arc) -> None:
    found = find_cycle(view.known.graph, new)
    if found is None:
        return
    grade, arcs = found
    links = tuple(map(link, arcs))
    wanted, holding = _ends(view, new)
    view.report(
        "circular",
        cycle_about(links),
        grade=grade,
        chain=links,
        gates=gate_names(arcs) if grade is Grade.GUARDED else (),
        wanted=wanted,
        holding=holding,
    )


def report_inversion(view: View, kind: str, found: Inversion, new: Arc | None = None) -> None:
    """Report a safe class that leads to an unsafe one; `new` is the dependency that closed it."""
    wanted, holding = _ends(view, new) if new else (None, None)
    view.report(
        kind,
        (found.safe.cls, str(found.safe.bit), found.unsafe.cls, str(found.unsafe.bit)),
        chain=tuple(map(link, first_arcs(found.path))),
        marks=(found.safe, found.unsafe),
        wanted=wanted,
        holding=holding,
    )


def _ends(view: View, new: Arc) -> tuple[LockView, LockView]:
    """The lock that is wanted and the one that is held where a dependency was seen."""
    witness, owner = new.witness, new.witness.owner
    holding = view.hold_view(owner) if owner else view.class_view(new.edge.source)
    how = How(witness.flavour, drain=witness.drain)
    return view.wanted_view(witness.wanted, new.edge.target, how), holding
