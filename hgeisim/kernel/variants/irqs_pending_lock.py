"""d024a0a7879e: irqs_pending and its mask are changed together, under a lock (v7.2-rc5)."""

from __future__ import annotations

from typing import Any

from hgeisim.kernel import structs
from hgeisim.kernel.main import Module
from hgeisim.kernel.structs import IRQ_VS_EXT, IRQ_VS_SOFT, Vm
from hgeisim.machine.ops import STEP, Path
from hgeisim.machine.spinlock import RawSpinlock, raw_spinlock
from hgeisim.machine.task import Runner


class IrqsPendingLock(Module):
    """With irqs_pending_lock, raw and per vCPU, inside of all others, always with irqsave."""

    class Vcpu(structs.Vcpu):
        """irqs_pending_lock guards irqs_pending and irqs_pending_mask."""

        irqs_pending_lock: RawSpinlock

    def add_vcpu(k, name: str, cpu: int, vm: Vm) -> structs.Vcpu:
        """kvm_arch_vcpu_create with raw_spin_lock_init."""
        vcpu: Any = super().add_vcpu(name, cpu, vm)
        lock = raw_spinlock(k.memory, f"{name}.irqs_pending_lock", "vcpu->arch.irqs_pending_lock")
        vcpu.irqs_pending_lock = lock
        made: structs.Vcpu = vcpu
        return made

    def kvm_riscv_vcpu_set_interrupt(
        k, current: Runner, vcpu: Any, irq: int = IRQ_VS_EXT
    ) -> Path[None]:
        """kvm_riscv_vcpu_set_interrupt, v7.2 (2.12): the kick comes after the lock."""
        yield vcpu.irqs_pending_lock.lock_irqsave
        vcpu.irqs_pending |= irq
        yield STEP
        vcpu.irqs_pending_mask |= irq
        yield vcpu.irqs_pending_lock.unlock_irqrestore
        yield from k.kvm_vcpu_kick(current, vcpu)

    def kvm_riscv_vcpu_unset_interrupt(k, vcpu: Any, irq: int = IRQ_VS_EXT) -> Path[None]:
        """kvm_riscv_vcpu_unset_interrupt, v7.2 (2.12)."""
        yield vcpu.irqs_pending_lock.lock_irqsave
        vcpu.irqs_pending &= ~irq
        yield STEP
        vcpu.irqs_pending_mask |= irq
        yield vcpu.irqs_pending_lock.unlock_irqrestore

    def kvm_riscv_vcpu_flush_interrupts(k, vcpu: Any) -> Path[None]:
        """kvm_riscv_vcpu_flush_interrupts, v7.2 (2.16 step 9), interrupts off."""
        yield vcpu.irqs_pending_lock.lock_irqsave
        mask = vcpu.irqs_pending_mask
        if mask:
            yield STEP
            vcpu.irqs_pending_mask = 0
            yield STEP
            vcpu.hvip = vcpu.hvip & ~mask | vcpu.irqs_pending & mask
        yield vcpu.irqs_pending_lock.unlock_irqrestore

    def kvm_riscv_vcpu_sync_interrupts(k, vcpu: Any) -> Path[None]:
        """kvm_riscv_vcpu_sync_interrupts, v7.2 (2.16 step 15), interrupts off."""
        yield vcpu.irqs_pending_lock.lock_irqsave
        changed = (vcpu.hvip ^ vcpu.vssip) & IRQ_VS_SOFT
        if changed and not vcpu.irqs_pending_mask & changed:
            yield STEP
            vcpu.irqs_pending_mask |= IRQ_VS_SOFT
            yield STEP
            vcpu.irqs_pending = vcpu.irqs_pending & ~IRQ_VS_SOFT | vcpu.vssip
        yield vcpu.irqs_pending_lock.unlock_irqrestore

    def any_pending(k, vcpu: Any) -> Path[int]:
        """kvm_riscv_vcpu_has_interrupts, v7.2 (2.11): AIA is asked after the lock."""
        yield vcpu.irqs_pending_lock.lock_irqsave
        pending: int = vcpu.irqs_pending
        yield vcpu.irqs_pending_lock.unlock_irqrestore
        return pending

    def reset_vcpu_context(k, vcpu: Any) -> Path[None]:
        """kvm_riscv_reset_vcpu, v7.2 (2.12): zeroed under the lock."""
        yield vcpu.irqs_pending_lock.lock_irqsave
        yield from super().reset_vcpu_context(vcpu)
        yield vcpu.irqs_pending_lock.unlock_irqrestore
