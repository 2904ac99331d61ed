"""Linux v6.18: HGEIP is read on the CPU that has the VS-file, or not at all."""

from __future__ import annotations

from hgeisim.kernel.structs import Vcpu
from hgeisim.kernel.variants.gstage import Gstage
from hgeisim.kernel.variants.v6_16 import V6_16
from hgeisim.machine.hart import bit
from hgeisim.machine.ops import Path
from hgeisim.machine.task import Runner


class V6_18(Gstage, V6_16):  # noqa: N801 - the version as people write it
    """With "Read HGEIP CSR on the correct cpu" (bug B-03 and its fix), and with gstage.c."""

    name = "v6.18"

    def kvm_riscv_vcpu_aia_has_interrupts(k, current: Runner, vcpu: Vcpu) -> Path[int]:
        """kvm_riscv_vcpu_aia_imsic_has_interrupt, v6.18 (2.11): on another CPU than that of the
        VS-file it says yes, so that the vCPU leaves the block and moves its file."""
        ret = 0
        yield vcpu.vsfile_lock.read_lock_irqsave
        if vcpu.vsfile_cpu > -1:
            elsewhere = vcpu.vsfile_cpu != vcpu.cpu
            ret = 1 if elsewhere or current.hart.hgeip & bit(vcpu.vsfile_hgei) else 0
        yield vcpu.vsfile_lock.read_unlock_irqrestore
        return ret
