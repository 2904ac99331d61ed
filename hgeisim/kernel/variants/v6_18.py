"""Linux v6.18: HGEIP is read on the CPU that has the VS-file, or not at all."""

from __future__ import annotations

from hgeisim.kernel.state import Thread, Vcpu
from hgeisim.kernel.variants.v6_16 import V6_16
from hgeisim.machine.hart import bit
from hgeisim.machine.ops import STEP, Path


class V6_18(V6_16):  # noqa: N801 - the version as people write it
    """With "Read HGEIP CSR on the correct cpu" (bug B-03 and its fix)."""

    name = "v6.18"

    def kvm_riscv_vcpu_aia_has_interrupts(k, current: Thread, vcpu: Vcpu) -> Path[int]:
        """kvm_riscv_vcpu_aia_imsic_has_interrupt, v6.18 (2.11): on another CPU than that of the
        VS-file it says yes, so that the vCPU leaves the block and moves its file."""
        yield STEP
        if vcpu.vsfile_cpu > -1:
            if vcpu.vsfile_cpu != current.cpu:
                return 1
            return 1 if current.hart.hgeip & bit(vcpu.vsfile_hgei) else 0
        return 0
