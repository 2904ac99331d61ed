"""[PATCH V4] RISC-V: KVM: AIA: Make HGEI number management fully per-CPU (May 2026)."""

from __future__ import annotations

from hgeisim.kernel.structs import HgeiControl
from hgeisim.kernel.variants.percpu_v3 import PercpuV3
from hgeisim.machine.hart import bit
from hgeisim.machine.ops import STEP, Path
from hgeisim.machine.task import Runner


class PercpuV4(PercpuV3):
    """percpu-v3 that leaves the global count alone in enable, has GENMASK in the place of
    BIT(n + 1) - 1, and sets SGEI up whatever the global count.

    Lock and bitmap are still set up at each enable: the changelog of V5 ends that.  Not determined:
    whether the bitmap is set with the lock held in V4 (here without, as in percpu-v2).
    """

    def request_sgei(k) -> Path[None]:
        """request_percpu_irq of SGEI in aia_hgei_init with the patch (2.2): whatever the count."""
        yield STEP
        k.globals.hgei_parent_irq = 1

    def set_hgei_up(k, current: Runner, hgctrl: HgeiControl) -> Path[None]:
        """Steps 2-7, each time a CPU is enabled, no lock held."""
        yield STEP
        yield from k.probe_nr_hgei(current, hgctrl)
        yield from k.bound_nr_hgei(current, hgctrl)
        yield from k.set_free_bitmap(hgctrl)
        yield hgctrl.lock.init

    def set_free_bitmap(k, hgctrl: HgeiControl) -> Path[None]:
        """Step 6 with GENMASK: all lines are free, whoever owns them."""
        yield STEP
        nr_hgei = hgctrl.nr_hgei
        yield STEP
        hgctrl.free_bitmap = (bit(nr_hgei) << 1) - 2 if nr_hgei else 0
