"""B-03 again: HGEIP is read on whatever CPU the vCPU is, as before v6.18."""

from __future__ import annotations

from hgeisim.kernel.aia import Aia
from hgeisim.kernel.structs import Vcpu
from hgeisim.machine.hart import bit
from hgeisim.machine.ops import Path
from hgeisim.machine.task import Runner


class B03(Aia):
    """Without "Read HGEIP CSR on the correct cpu"."""

    def kvm_riscv_vcpu_aia_has_interrupts(k, current: Runner, vcpu: Vcpu) -> Path[int]:
        """kvm_riscv_vcpu_aia_imsic_has_interrupt, v6.16 (2.11)."""
        ret = 0
        yield vcpu.vsfile_lock.read_lock_irqsave
        if vcpu.vsfile_cpu > -1:
            ret = 1 if current.hart.hgeip & bit(vcpu.vsfile_hgei) else 0
        yield vcpu.vsfile_lock.read_unlock_irqrestore
        return ret
