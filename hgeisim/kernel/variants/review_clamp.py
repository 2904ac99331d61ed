"""The review of percpu-v2, first part: bound each count by the guest files of the weakest HART."""

from __future__ import annotations

from hgeisim.kernel.structs import HgeiControl
from hgeisim.kernel.variants.percpu_v2 import PercpuV2
from hgeisim.machine.ops import STEP, Path
from hgeisim.machine.task import Runner


class ReviewClamp(PercpuV2):
    """On top of percpu-v2 (24 May 2026): nr_hgei := min(nr_hgei, gc->nr_guest_files)."""

    def probe_nr_hgei(k, current: Runner, hgctrl: HgeiControl) -> Path[None]:
        """As percpu-v2, then the bound: what big HARTs have more is given away."""
        yield from super().probe_nr_hgei(current, hgctrl)
        yield STEP
        hgctrl.nr_hgei = min(hgctrl.nr_hgei, k.topology.nr_guest_files)
