"""A single fault of percpu-v2: the lock is initialised at each enable, free_bitmap only once."""

from __future__ import annotations

from hgeisim.kernel.structs import HgeiControl
from hgeisim.kernel.variants.percpu_v2 import PercpuV2
from hgeisim.machine.ops import STEP, Path


class PercpuV2LockInit(PercpuV2):
    """percpu-v2 with the bitmap set up only at the first enable."""

    def set_free_bitmap(k, hgctrl: HgeiControl) -> Path[None]:
        """As percpu-v2, once."""
        yield STEP
        if not hgctrl.free_bitmap_initialized:
            yield from super().set_free_bitmap(hgctrl)
            yield STEP
            hgctrl.free_bitmap_initialized = 1
