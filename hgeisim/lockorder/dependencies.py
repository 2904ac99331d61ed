"""What a new dependency closes: cycles of waits, and irq-safe classes before irq-unsafe ones."""

from __future__ import annotations

from hgeisim.lockorder.classes import How
from hgeisim.lockorder.cycles import first_arcs
from hgeisim.lockorder.graph import Arc
from hgeisim.lockorder.guards import find_cycle, gate_names
from hgeisim.lockorder.irqs import Inversion, dependencies
from hgeisim.lockorder.report import Grade, LockView, cycle_about
from hgeisim.lockorder.scene import Scene, link


def depend(scene: Scene, new: Arc, quiet: bool = False) -> None:
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
        for found in dependencies(scene.known.graph, scene.known.usage, new):
            tell_inversion(scene, "irq-dependency", found, new)


def _tell_cycle(scene: Scene, new: Arc) -> None:
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


def tell_inversion(scene: Scene, kind: str, found: Inversion, new: Arc | None = None) -> None:
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


def _ends(scene: Scene, new: Arc) -> tuple[LockView, LockView]:
    """What is wanted and what is held where a dependency was seen."""
    witness, owner = new.witness, new.witness.owner
    holding = scene.hold_view(owner) if owner else scene.class_view(new.edge.source)
    how = How(witness.flavour, drain=witness.drain)
    return scene.wanted_view(witness.wanted, new.edge.target, how), holding
