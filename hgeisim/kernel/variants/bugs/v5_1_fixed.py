"""A fix of V5-1: a CPU without lines does not lower the count of all."""

from __future__ import annotations

from hgeisim.kernel.variants.percpu_v5 import PercpuV5
from hgeisim.machine.ops import Path


class V51Fixed(PercpuV5):
    """On percpu-v5: the smallest count is that of the CPUs that have lines."""

    def lower_nr_hgei(k, nr_hgei: int) -> Path[None]:
        """The loop of kvm_riscv_aia_enable with the patch (2.3, 6a-6c), where there is a line."""
        if nr_hgei:
            yield from super().lower_nr_hgei(nr_hgei)
