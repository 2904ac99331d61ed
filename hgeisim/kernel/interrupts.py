"""arch/riscv/kvm/vcpu.c of v6.12: virtual interrupts on their way to the guest's hvip."""

from __future__ import annotations

from hgeisim.kernel.mmu import Mmu
from hgeisim.kernel.structs import IRQ_VS_EXT, Vcpu
from hgeisim.machine.ops import STEP, Path
from hgeisim.machine.task import Runner


class Interrupts(Mmu):
    """irqs_pending and irqs_pending_mask: two words, each accessed atomically, not both at once."""

    def kvm_riscv_vcpu_set_interrupt(k, current: Runner, vcpu: Vcpu) -> Path[None]:
        """kvm_riscv_vcpu_set_interrupt, v6.12 (2.12), of VS_EXT: then a kick."""
        yield STEP
        vcpu.irqs_pending |= IRQ_VS_EXT
        yield STEP
        vcpu.irqs_pending_mask |= IRQ_VS_EXT
        yield from k.kvm_vcpu_kick(current, vcpu)

    def kvm_riscv_vcpu_unset_interrupt(k, vcpu: Vcpu) -> Path[None]:
        """kvm_riscv_vcpu_unset_interrupt, v6.12 (2.12), of VS_EXT."""
        yield STEP
        vcpu.irqs_pending &= ~IRQ_VS_EXT
        yield STEP
        vcpu.irqs_pending_mask |= IRQ_VS_EXT

    def kvm_riscv_vcpu_flush_interrupts(k, vcpu: Vcpu) -> Path[None]:
        """kvm_riscv_vcpu_flush_interrupts, v6.12 (2.16 step 9): what changed goes to hvip."""
        yield STEP
        mask = vcpu.irqs_pending_mask
        if mask:
            vcpu.irqs_pending_mask = 0
            yield STEP
            vcpu.hvip = vcpu.hvip & ~mask | vcpu.irqs_pending & mask
