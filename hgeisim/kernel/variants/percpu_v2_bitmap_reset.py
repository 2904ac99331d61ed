"""A single fault of percpu-v2: free_bitmap is reset at each enable, the lock is left alone."""

from __future__ import annotations

from hgeisim.kernel.structs import HgeiControl
from hgeisim.kernel.variants.percpu_v2 import PercpuV2
from hgeisim.machine.ops import STEP, Path
from hgeisim.machine.task import Runner


class PercpuV2BitmapReset(PercpuV2):
    """percpu-v2 without its raw_spin_lock_init."""

    locks_are_steady = True

    def set_hgei_up(k, current: Runner, hgctrl: HgeiControl) -> Path[None]:
        """As percpu-v2, without step 7."""
        yield STEP
        yield from k.probe_nr_hgei(current, hgctrl)
        yield from k.set_free_bitmap(hgctrl)
