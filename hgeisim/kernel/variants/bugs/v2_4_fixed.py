"""A fix of V2-4: nr_hgei is counted in a local variable, and written once, with the lock held."""

from __future__ import annotations

from hgeisim.kernel.structs import HgeiControl
from hgeisim.kernel.variants.percpu_v5 import PercpuV5
from hgeisim.machine.hart import ALL_ONES, fls
from hgeisim.machine.ops import STEP, Path
from hgeisim.machine.task import Runner


class V24Fixed(PercpuV5):
    """On percpu-v5: nobody sees a number that is not final."""

    def set_hgei_up(k, current: Runner, hgctrl: HgeiControl) -> Path[None]:
        """kvm_riscv_aia_enable with the patch (2.3, steps 2-9), nr_hgei in step 8."""
        hart, nr_guest_files = current.hart, k.topology.harts[current.cpu].guest_files
        yield STEP
        hart.write_hgeie(ALL_ONES)
        yield STEP
        nr_hgei = min(max(fls(hart.hgeie) - 1, 0), nr_guest_files)
        yield STEP
        hart.write_hgeie(0)
        yield from k.lower_nr_hgei(nr_hgei)
        yield hgctrl.lock.lock_irqsave
        hgctrl.nr_hgei = nr_hgei
        if not hgctrl.free_bitmap_initialized:
            yield from k.set_free_bitmap(hgctrl)
            yield STEP
            hgctrl.free_bitmap_initialized = 1
        yield hgctrl.lock.unlock_irqrestore
