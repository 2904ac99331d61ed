"""The review of percpu-v2, second part: keep the global count at the minimum over all HARTs."""

from __future__ import annotations

from hgeisim.kernel.structs import HgeiControl
from hgeisim.kernel.variants.percpu_v2 import PercpuV2
from hgeisim.machine.ops import STEP, Path
from hgeisim.machine.task import Runner


class ReviewMin(PercpuV2):
    """On top of percpu-v2 (24 May 2026): lower kvm_riscv_aia_nr_hgei, a plain int, no lock held."""

    def probe_nr_hgei(k, current: Runner, hgctrl: HgeiControl) -> Path[None]:
        """As percpu-v2, then: a HART with lines, but fewer than the global count, lowers it."""
        yield from super().probe_nr_hgei(current, hgctrl)
        yield STEP
        nr_hgei = hgctrl.nr_hgei
        yield STEP
        if nr_hgei and nr_hgei < k.globals.kvm_riscv_aia_nr_hgei:
            yield STEP
            k.globals.kvm_riscv_aia_nr_hgei = nr_hgei
