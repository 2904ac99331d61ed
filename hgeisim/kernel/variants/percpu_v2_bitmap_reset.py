"""A single fault of percpu-v2: free_bitmap is reset at each enable, the lock is left alone."""

from __future__ import annotations

from hgeisim.kernel.aia import Aia
from hgeisim.kernel.state import Thread
from hgeisim.kernel.variants.percpu_v2 import PercpuV2
from hgeisim.machine.ops import Path


class PercpuV2BitmapReset(PercpuV2):
    """percpu-v2 without its raw_spin_lock_init."""

    def kvm_riscv_aia_enable(k, current: Thread) -> Path[None]:
        """As percpu-v2, without step 7."""
        hgctrl = k.hgei[current.cpu]
        yield from k.probe_nr_hgei(current, hgctrl)
        yield from k.set_free_bitmap(hgctrl)
        yield from Aia.kvm_riscv_aia_enable(k, current)
