"""arch/riscv/kvm/vcpu.c of v6.12: virtual interrupts on their way to the guest's hvip, and back."""

from __future__ import annotations

from hgeisim.kernel.structs import IRQ_VS_EXT, IRQ_VS_SOFT, IRQ_VS_TIMER, Vcpu
from hgeisim.kernel.vmid import Vmids
from hgeisim.machine.ops import STEP, Path
from hgeisim.machine.task import Runner

DEVICE_HANDLERS = ("irqfd_wakeup", "kvm_riscv_vcpu_aia_imsic_inject")
"""Handlers of devices' interrupts.  PREEMPT_RT runs them in threads, where they are not hardirqs;
so they may take spinlock_t there, too."""


class Interrupts(Vmids):
    """irqs_pending and irqs_pending_mask: two words, each accessed atomically by itself."""

    def kvm_riscv_vcpu_set_interrupt(
        k, current: Runner, vcpu: Vcpu, irq: int = IRQ_VS_EXT
    ) -> Path[None]:
        """kvm_riscv_vcpu_set_interrupt, v6.12 (2.12), of a bit IRQ_VS_*: then a kick."""
        yield STEP
        vcpu.irqs_pending |= irq
        yield STEP
        vcpu.irqs_pending_mask |= irq
        yield from k.kvm_vcpu_kick(current, vcpu)

    def kvm_riscv_vcpu_unset_interrupt(k, vcpu: Vcpu, irq: int = IRQ_VS_EXT) -> Path[None]:
        """kvm_riscv_vcpu_unset_interrupt, v6.12 (2.12), of a bit IRQ_VS_*."""
        yield STEP
        vcpu.irqs_pending &= ~irq
        yield STEP
        vcpu.irqs_pending_mask |= irq

    def kvm_sbi_ext_ipi_handler(k, current: Runner, vcpu: Vcpu) -> Path[None]:
        """kvm_sbi_ext_ipi_handler, v6.12 (2.16 step 20): the guest of another vCPU sends an IPI."""
        yield from k.kvm_riscv_vcpu_set_interrupt(current, vcpu, IRQ_VS_SOFT)

    def kvm_riscv_vcpu_hrtimer_expired(k, current: Runner, vcpu: Vcpu) -> Path[None]:
        """kvm_riscv_vcpu_hrtimer_expired, v6.12, in a hardirq: the guest's timer without Sstc."""
        yield from k.kvm_riscv_vcpu_set_interrupt(current, vcpu, IRQ_VS_TIMER)

    def kvm_riscv_vcpu_timer_next_event(k, vcpu: Vcpu) -> Path[None]:
        """kvm_riscv_vcpu_timer_next_event, v6.12, an SBI call: the interrupt has been served."""
        yield from k.kvm_riscv_vcpu_unset_interrupt(vcpu, IRQ_VS_TIMER)

    def kvm_riscv_vcpu_flush_interrupts(k, vcpu: Vcpu) -> Path[None]:
        """kvm_riscv_vcpu_flush_interrupts, v6.12 (2.16 step 9): what changed goes to hvip."""
        yield STEP
        mask = vcpu.irqs_pending_mask
        if mask:
            vcpu.irqs_pending_mask = 0
            yield STEP
            vcpu.hvip = vcpu.hvip & ~mask | vcpu.irqs_pending & mask

    def kvm_riscv_vcpu_sync_interrupts(k, vcpu: Vcpu) -> Path[None]:
        """kvm_riscv_vcpu_sync_interrupts, v6.12 (2.16 step 15), interrupts off: irqs_pending gets
        VSSIP as the guest has left it, unless somebody has changed it there since the last flush.

        A change between the two steps is not noticed (bug B-04).
        """
        if (vcpu.hvip ^ vcpu.vssip) & IRQ_VS_SOFT:
            yield STEP
            dirty = vcpu.irqs_pending_mask & IRQ_VS_SOFT
            vcpu.irqs_pending_mask |= IRQ_VS_SOFT
            if not dirty:
                yield STEP
                vcpu.irqs_pending = vcpu.irqs_pending & ~IRQ_VS_SOFT | vcpu.vssip
        yield from ()
