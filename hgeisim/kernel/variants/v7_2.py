"""Linux v7.2 (7.2.13): HGEI lines are counted for each CPU, and mmu_lock is a rwlock_t."""

from __future__ import annotations

from hgeisim.kernel.variants.irqs_pending_lock import IrqsPendingLock
from hgeisim.kernel.variants.mmu_rwlock import MmuRwlock
from hgeisim.kernel.variants.percpu_v5 import PercpuV5
from hgeisim.kernel.variants.rw_attr_mutex import RwAttrMutex
from hgeisim.kernel.variants.v7_1 import V7_1


class V7_2(  # type: ignore[misc]  # noqa: N801 - `extended` joins their structs
    RwAttrMutex, IrqsPendingLock, PercpuV5, MmuRwlock, V7_1
):
    """v7.1 with percpu-v5, mmu-rwlock, irqs-pending-lock and rw-attr-mutex."""

    name = "v7.2"
