"""Memory allocations as lock users: an allocation may reclaim, and reclaim takes locks."""

from __future__ import annotations

from dataclasses import dataclass

from hgeisim.lockorder.classes import KINDS, Lock
from hgeisim.lockorder.events import wait
from hgeisim.lockorder.holding import release, take, touch
from hgeisim.lockorder.scene import Scene


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

    def acquire(self, scene: Scene, gfp: Gfp) -> None:
        """Begin reclaim on behalf of an allocation (fs_reclaim_acquire)."""
        if self._enters_fs(scene, gfp):
            take(scene, self.fs)
        if gfp.reclaims:
            touch(scene, self.notifier)

    def release(self, scene: Scene, gfp: Gfp) -> None:
        """End reclaim."""
        if self._enters_fs(scene, gfp):
            release(scene, self.fs, reader=False)

    def allocate(self, scene: Scene, gfp: Gfp) -> None:
        """Allocate: what may reclaim may sleep, and takes what reclaim takes (might_alloc)."""
        if gfp.reclaims:
            wait(scene, self.sleep)
        self.acquire(scene, gfp)
        self.release(scene, gfp)

    def _enters_fs(self, scene: Scene, gfp: Gfp) -> bool:
        return gfp.fs and not scene.context.nofs
