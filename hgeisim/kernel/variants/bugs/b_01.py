"""B-01 again: VS-level external interrupt is computed and set without a lock, as before v6.8."""

from __future__ import annotations

from hgeisim.kernel.aia_imsic import Imsic
from hgeisim.kernel.structs import Vcpu
from hgeisim.machine.ops import STEP, Path
from hgeisim.machine.task import Runner


class B01(Imsic):
    """Without 4ad9843e1ea0, "update external interrupt atomically for IMSIC swfile"."""

    def imsic_swfile_extirq_update(k, current: Runner, vcpu: Vcpu) -> Path[None]:
        """imsic_swfile_extirq_update before v6.8 (2.12): two CPUs may do so at the same time."""
        yield STEP
        deliverable = vcpu.swfile.deliverable()
        if deliverable:
            yield from k.kvm_riscv_vcpu_set_interrupt(current, vcpu)
        else:
            yield from k.kvm_riscv_vcpu_unset_interrupt(vcpu)
