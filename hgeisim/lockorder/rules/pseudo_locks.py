"""Pseudo-locks: waits that are not locks, which the graph treats as if they were.

Completions and synchronous IPIs: a context that waits for an event waits for whoever completes it,
and so for every wait of that one since it began its work.  The kernel dropped such a rule
(cross-release, 4.15) because it could only guess where a piece of work begins; a simulator knows.

Memory allocations: an allocation may reclaim, and reclaim takes locks.
"""

from __future__ import annotations

from dataclasses import dataclass

from hgeisim.lockorder.graph.dependency_graph import Arc, kind_of
from hgeisim.lockorder.graph.lock_class import DRAIN, KINDS, Flavour, Lock
from hgeisim.lockorder.graph.usage import IN_IRQ, IRQS_ON
from hgeisim.lockorder.rules import wait_context as waits
from hgeisim.lockorder.rules.dependency import depend
from hgeisim.lockorder.rules.lifetime import release, take, touch
from hgeisim.lockorder.rules.viewpoint import View


def event(name: str) -> Lock:
    """An event as the graph sees it."""
    return Lock(f"@ev:{name}", KINDS["event"])


def wait(scene: View, awaited: Lock) -> None:
    """Wait until an event is completed, or until a lock is free."""
    take(scene, awaited, DRAIN)


def complete(scene: View, completed: Lock) -> None:
    """Complete an event: its waiters waited for all that this context had to wait for."""
    source = scene.known.classes.of(completed)
    for chain in scene.context.waits.untold(completed):
        if chain.witness is not None and chain.cls is not source:
            edge = scene.known.graph.edge(source, chain.cls)
            kind = kind_of(Flavour.EXCLUSIVE, chain.step.how.flavour)
            depend(scene, Arc(edge, kind, chain.witness))


def wait_for_ipi(scene: View) -> None:
    """Wait until other CPUs have handled an IPI: two that do so with interrupts off hang."""
    state = scene.context.state
    if not state & IRQS_ON:
        note = "waits for other CPUs with interrupts off: two that do so hang"
        by = waits.of_handler(state).by if state & IN_IRQ else waits.HARDIRQS_OFF
        scene.tell("ipi-irqs-off", (scene.function, by, scene.place), notes=(note,))
    wait(scene, scene.known.ipi)


@dataclass(frozen=True)
class Gfp:
    """What an allocation may do: reclaim directly, and call into file systems while it does."""

    reclaims: bool
    fs: bool = False


GFP = {
    "GFP_KERNEL": Gfp(reclaims=True, fs=True),
    "GFP_KERNEL_ACCOUNT": Gfp(reclaims=True, fs=True),
    "GFP_USER": Gfp(reclaims=True, fs=True),
    "GFP_HIGHUSER": Gfp(reclaims=True, fs=True),
    "GFP_NOFS": Gfp(reclaims=True),
    "GFP_NOIO": Gfp(reclaims=True),
    "GFP_NOWAIT": Gfp(reclaims=False),
    "GFP_ATOMIC": Gfp(reclaims=False),
}
"""The flags of include/linux/gfp_types.h, as far as locks are concerned."""


FS_RECLAIM = "fs_reclaim"
NOTIFIER = "mmu_notifier_invalidate_range_start"


class Reclaim:
    """The two maps that stand for reclaim (mm/page_alloc.c), and what touches them."""

    def __init__(self) -> None:
        self.fs = Lock(FS_RECLAIM, KINDS["lockdep_map"])
        self.notifier = Lock(NOTIFIER, KINDS["lockdep_map"])
        self.sleep = Lock("might_sleep", KINDS["might_sleep"])

    def acquire(self, scene: View, gfp: Gfp) -> None:
        """Begin reclaim on behalf of an allocation (fs_reclaim_acquire)."""
        if self._enters_fs(scene, gfp):
            take(scene, self.fs)
        if gfp.reclaims:
            touch(scene, self.notifier)

    def release(self, scene: View, gfp: Gfp) -> None:
        """End reclaim."""
        if self._enters_fs(scene, gfp):
            release(scene, self.fs, reader=False)

    def allocate(self, scene: View, gfp: Gfp) -> None:
        """Allocate: what may reclaim may sleep, and takes what reclaim takes (might_alloc)."""
        if gfp.reclaims:
            wait(scene, self.sleep)
        self.acquire(scene, gfp)
        self.release(scene, gfp)

    def _enters_fs(self, scene: View, gfp: Gfp) -> bool:
        return gfp.fs and not scene.context.nofs
