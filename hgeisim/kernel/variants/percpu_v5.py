"""[PATCH V5 1-2/2] RISC-V: KVM: AIA: Make HGEI number management fully per-CPU, as in v7.2."""

from __future__ import annotations

from hgeisim.kernel.structs import HgeiControl
from hgeisim.kernel.variants.percpu_v4 import PercpuV4
from hgeisim.machine.ops import STEP, Path
from hgeisim.machine.task import Runner


class PercpuV5(PercpuV4):
    """The version that landed: the count is per CPU and bounded by that CPU's guest files (which
    the series brings along), the lock is initialised once, the bitmap is set once and under the
    lock; the global count sinks to the smallest one."""

    locks_are_steady = True

    def aia_hgei_init(k) -> Path[None]:
        """aia_hgei_init with the patch (2.2)."""
        cpu = 0
        while cpu < len(k.hgei):
            hgctrl = k.hgei[cpu]
            yield hgctrl.lock.init
            hgctrl.free_bitmap = hgctrl.free_bitmap_initialized = 0
            cpu += 1
        yield from k.request_sgei()

    def set_hgei_up(k, current: Runner, hgctrl: HgeiControl) -> Path[None]:
        """kvm_riscv_aia_enable with the patch (2.3, steps 2-9).

        nr_hgei is still written outside the lock, in three stores.
        """
        yield STEP
        yield from k.probe_nr_hgei(current, hgctrl)
        yield from k.bound_nr_hgei(current, hgctrl)
        yield from k.lower_nr_hgei(hgctrl.nr_hgei)
        yield hgctrl.lock.lock_irqsave
        if not hgctrl.free_bitmap_initialized:
            yield from k.set_free_bitmap(hgctrl)
            yield STEP
            hgctrl.free_bitmap_initialized = 1
        yield hgctrl.lock.unlock_irqrestore

    def lower_nr_hgei(k, nr_hgei: int) -> Path[None]:
        """The loop of kvm_riscv_aia_enable with the patch (2.3, steps 6a-6c): the global count is
        not above that of this CPU.

        0 is not skipped, and nothing raises the count again (V5-1).
        """
        yield STEP
        seen = k.globals.kvm_riscv_aia_nr_hgei
        while seen > nr_hgei:
            yield STEP
            found = k.globals.kvm_riscv_aia_nr_hgei
            if found == seen:
                k.globals.kvm_riscv_aia_nr_hgei = found = nr_hgei
            seen = found
