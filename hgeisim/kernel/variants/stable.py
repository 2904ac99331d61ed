"""Linux 6.12.117: what the stable tree of 6.12 has of later versions."""

from __future__ import annotations

from hgeisim.kernel.variants.exit_order import ExitOrder
from hgeisim.kernel.variants.irqs_pending_lock import IrqsPendingLock
from hgeisim.kernel.variants.rw_attr_mutex import RwAttrMutex


class Stable(RwAttrMutex, ExitOrder, IrqsPendingLock):
    """On v6.12: irqs-pending-lock (6.12.101), rw-attr-mutex (6.12.113), exit-order (6.12.115)."""
