"""Pseudo-locks: waits for something other than a lock, which the graph treats as locks.

Completions and synchronous IPIs: a context that waits for an event waits for whoever completes it,
and so for every wait of that context since it began its work.  The kernel dropped such a rule
(cross-release, 4.15) because it could only guess where a piece of work begins; a simulator knows.

Memory allocations: an allocation may reclaim, and reclaim takes locks.
"""

from __future__ import annotations

from dataclasses import dataclass

from hgeisim.lockorder.graph.dependency_graph import Arc, kind_of
from hgeisim.lockorder.graph.lock_class import DRAIN, KINDS, Flavour, Lock
from hgeisim.lockorder.graph.usage import IN_IRQ, IRQS_ON
from hgeisim.lockorder.rules.dependency import depend
from hgeisim.lockorder.rules.lifetime import release, take, touch
from hgeisim.lockorder.rules.viewpoint import View
from hgeisim.lockorder.rules.wait_context import HARDIRQS_OFF, of_handler


def wait(view: View, awaited: Lock) -> None:
    """Wait until an event is completed, or until a lock is free."""
    take(view, awaited, DRAIN)


def complete(view: View, completed: Lock) -> None:
    """Complete an event: its waiters waited for all that this context had to wait for."""
    source = view.known.classes.of(completed)
    for chain in view.context.waits.new_to(completed):
        if chain.witness is not None and chain.cls is not source:
            edge = view.known.graph.edge(source, chain.cls)
            kind = kind_of(Flavour.EXCLUSIVE, chain.step.how.flavour)
            depend(view, Arc(edge, kind, chain.witness))


def wait_for_ipi(view: View) -> None:
    """Wait until other CPUs have handled an IPI: two that do so with interrupts off hang."""
    state = view.context.state
    if not state & IRQS_ON:
        note = "waits for other CPUs with interrupts off: two that do so hang"
        by = of_handler(state).by if state & IN_IRQ else HARDIRQS_OFF
        view.report("ipi-irqs-off", (view.function, by, view.place), notes=(note,))
    wait(view, view.known.ipi)


@dataclass(frozen=True)
class Gfp:
    """The licence of an allocation: to reclaim directly, and to call file systems for that."""

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


class Reclaim:
    """The two maps that stand for reclaim (mm/page_alloc.c), and the operations that touch them."""

    def __init__(self) -> None:
        self.fs = Lock("fs_reclaim", KINDS["lockdep_map"])
        self.notifier = Lock("mmu_notifier_invalidate_range_start", KINDS["lockdep_map"])
        self.sleep = Lock("might_sleep", KINDS["might_sleep"])

    def acquire(self, view: View, gfp: Gfp) -> None:
        """Begin reclaim on behalf of an allocation (fs_reclaim_acquire)."""
        if self._enters_fs(view, gfp):
            take(view, self.fs)
        if gfp.reclaims:
            touch(view, self.notifier)

    def release(self, view: View, gfp: Gfp) -> None:
        """End reclaim."""
        if self._enters_fs(view, gfp):
            release(view, self.fs, reader=False)

    def allocate(self, view: View, gfp: Gfp) -> None:
        """Allocate (might_alloc): an allocation that may reclaim may sleep, and takes the locks
        that reclaim takes."""
        if gfp.reclaims:
            wait(view, self.sleep)
        self.acquire(view, gfp)
        self.release(view, gfp)

    def _enters_fs(self, view: View, gfp: Gfp) -> bool:
        return gfp.fs and not view.context.nofs
