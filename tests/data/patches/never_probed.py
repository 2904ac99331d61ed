"""percpu-v5 whose enable forgets to probe: no HART ever has a line."""

from hgeisim.kernel.variants.percpu_v5 import PercpuV5
from hgeisim.machine.ops import STEP


class NeverProbed(PercpuV5):
    def probe_nr_hgei(k, current, hgctrl):
        yield STEP
        hgctrl.nr_hgei = 0
