"""dfdf1374fdec: a CPU without virtualization has no former vCPU (v7.3)."""

from __future__ import annotations

from hgeisim.kernel.structs import Caller
from hgeisim.kernel.variants.former_skip import FormerSkip
from hgeisim.machine.ops import STEP, Path


class FormerClear(FormerSkip):
    """The next load writes all registers, whoever was here last (fixes bug FV-1)."""

    def reset_guest_registers(k, current: Caller) -> Path[None]:
        """kvm_arch_disable_virtualization_cpu, v7.3 (2.19): the same, then former := NULL."""
        yield from super().reset_guest_registers(current)
        yield STEP
        k.per_cpu[current.cpu].kvm_former_vcpu = 0  # type: ignore[attr-defined]
