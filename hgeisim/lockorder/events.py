"""Waits that are no locks: completions, synchronous IPIs.

Who waits for an event waits for whoever completes it, and so for every wait of that one since it
began its work.  The kernel dropped such a rule (cross-release, 4.15) because it could only guess
where a piece of work begins; a simulator knows.
"""

from __future__ import annotations

from hgeisim.lockorder import waits
from hgeisim.lockorder.classes import DRAIN, KINDS, Flavour, Lock
from hgeisim.lockorder.dependencies import depend
from hgeisim.lockorder.graph import Arc, kind_of
from hgeisim.lockorder.holding import take
from hgeisim.lockorder.irqstate import IN_IRQ, IRQS_ON
from hgeisim.lockorder.scene import Scene


def event(name: str) -> Lock:
    """An event as the graph sees it."""
    return Lock(f"@ev:{name}", KINDS["event"])


def wait(scene: Scene, awaited: Lock) -> None:
    """Wait until an event is completed, or until a lock is free."""
    take(scene, awaited, DRAIN)


def complete(scene: Scene, completed: Lock) -> None:
    """Complete an event: its waiters waited for all that this context had to wait for."""
    source = scene.known.classes.of(completed)
    for chain in scene.context.waits.untold(completed):
        if chain.witness is not None and chain.cls is not source:
            edge = scene.known.graph.edge(source, chain.cls)
            kind = kind_of(Flavour.EXCLUSIVE, chain.step.how.flavour)
            depend(scene, Arc(edge, kind, chain.witness))


def wait_for_ipi(scene: Scene) -> None:
    """Wait until other CPUs have handled an IPI: two that do so with interrupts off hang."""
    state = scene.context.state
    if not state & IRQS_ON:
        note = "waits for other CPUs with interrupts off: two that do so hang"
        by = waits.of_handler(state).by if state & IN_IRQ else waits.HARDIRQS_OFF
        scene.tell("ipi-irqs-off", (scene.function, by, scene.place), notes=(note,))
    wait(scene, scene.known.ipi)
