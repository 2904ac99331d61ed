"""A new dependency, and what it closes: cycles of waits, and irq inversions.

An inversion is an irq-safe class that leads to an irq-unsafe one.  CPU 0 is interrupted while it
holds the unsafe class, and the handler wants the safe one; CPU 1 holds that one and waits, over any
number of steps, for the unsafe one.
"""

from __future__ import annotations

from dataclasses import dataclass

from hgeisim.errors import ModelError
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
    """What a new bit of a class closes: a safe class looks ahead, an unsafe one back."""
    opposite = (mark.bit.opposite(read=False), mark.bit.opposite(read=True))
    if not usage.any_has(opposite):
        return None
    matching = _Matching(usage, opposite, besides=cls)
    used_in = mark.bit.used_in
    weak = flavour == Flavour.RECURSIVE if used_in else flavour != Flavour.EXCLUSIVE
    path = shortest(graph, (cls, weak), ahead if used_in else back, matching, per_cpu)
    if path is None:
        return None
    if used_in:
        return Inversion(mark, matching.found(), tuple(path))
    return Inversion(matching.found(), mark, tuple(path[::-1]))


def inversions(graph: Graph, usage: Usage, new: Arc) -> list[Inversion]:
    """What a new dependency closes: safe classes behind it, unsafe ones ahead of it."""
    found = [_inversion_across(graph, usage, new, line) for line in LINES]
    return [each for each in found if each is not None]


def _inversion_across(graph: Graph, usage: Usage, new: Arc, line: str) -> Inversion | None:
    safe = Bit(line, True, False), Bit(line, True, True)
    unsafe = Bit(line, False, False), Bit(line, False, True)
    if not (usage.any_has(safe) and usage.any_has(unsafe)):
        return None
    behind = _Matching(usage, safe)
    root = (new.edge.source, not new.kind & FROM_EXCLUSIVE)
    before = shortest(graph, root, back, behind, per_cpu)
    if before is None:
        return None
    before_us = _Matching(usage, unsafe)
    root = (new.edge.target, not new.kind & TO_BLOCKING)
    after = shortest(graph, root, ahead, before_us, per_cpu)
    if after is None:
        return None
    return Inversion(behind.found(), before_us.found(), (*before[::-1], new.edge, *after))


def per_cpu(cls: LockClass) -> bool:
    """Whether a class keeps other CPUs from nothing: no inversion leads through it."""
    return cls.kind.local or cls.kind.override


class _Matching:
    """Matches a class that has one of some bits; one that is reached weakly, only as a writer."""

    def __init__(
        self, usage: Usage, bits: tuple[Bit, ...], besides: LockClass | None = None
    ) -> None:
        self._usage, self._bits, self._besides = usage, bits, besides
        self._found: Mark | None = None

    def __call__(self, cls: LockClass, weak: bool) -> bool:
        if cls is self._besides:
            return False
        bits = tuple(bit for bit in self._bits if not (weak and bit.read))
        self._found = self._usage.first(cls, bits)
        return self._found is not None

    def found(self) -> Mark:
        """The mark that made the last match."""
        if self._found is None:
            raise ModelError("asked for without a match")
        return self._found


def depend(scene: View, new: Arc, quiet: bool = False) -> None:
    """Note that somebody waited while holding something, and report what this closes.

    A further witness of a known dependency can make a cycle possible that was guarded before.
    """
    edge = new.edge
    loud = edge.quiet and not quiet
    fresh = loud or not edge.kinds & new.kind
    edge.quiet = edge.quiet and quiet
    if edge.add(new.kind, new.witness) or loud:
        _tell_cycle(scene, new)
    if fresh and not edge.quiet:
        for found in inversions(scene.known.graph, scene.known.usage, new):
            tell_inversion(scene, "irq-dependency", found, new)


def _tell_cycle(scene: View, new: Arc) -> None:
    found = find_cycle(scene.known.graph, new)
    if found is None:
        return
    grade, arcs = found
    links = tuple(map(link, arcs))
    wanted, holding = _ends(scene, new)
    scene.tell(
        "circular",
        cycle_about(links),
        grade=grade,
        chain=links,
        gates=gate_names(arcs) if grade is Grade.GUARDED else (),
        wanted=wanted,
        holding=holding,
    )


def tell_inversion(scene: View, kind: str, found: Inversion, new: Arc | None = None) -> None:
    """Report a safe class that leads to an unsafe one; `new` is the dependency that closed it."""
    wanted, holding = _ends(scene, new) if new else (None, None)
    scene.tell(
        kind,
        (found.safe.cls, str(found.safe.bit), found.unsafe.cls, str(found.unsafe.bit)),
        chain=tuple(map(link, first_arcs(found.path))),
        marks=(found.safe, found.unsafe),
        wanted=wanted,
        holding=holding,
    )


def _ends(scene: View, new: Arc) -> tuple[LockView, LockView]:
    """What is wanted and what is held where a dependency was seen."""
    witness, owner = new.witness, new.witness.owner
    holding = scene.hold_view(owner) if owner else scene.class_view(new.edge.source)
    how = How(witness.flavour, drain=witness.drain)
    return scene.wanted_view(witness.wanted, new.edge.target, how), holding
