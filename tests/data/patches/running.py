"""Patches that go wrong while they run, and sound ones that look as if they might."""

from hgeisim.kernel.variants.percpu_v5 import PercpuV5
from hgeisim.machine.hart import bit, ffs
from hgeisim.machine.ops import LOCAL_IRQ_DISABLE, PREEMPT_DISABLE, PREEMPT_ENABLE, STEP
from hgeisim.patch import hands_over


class NoUnlock(PercpuV5):
    def kvm_riscv_aia_free_hgei(k, cpu, hgei):
        yield k.hgei[cpu].lock.lock_irqsave


class EarlyReturn(PercpuV5):
    def kvm_riscv_aia_alloc_hgei(k, cpu, owner):
        hgctrl = k.hgei[cpu]
        yield hgctrl.lock.lock_irqsave
        yield STEP
        free_bitmap = hgctrl.free_bitmap
        if not free_bitmap:
            return -2
        ret = ffs(free_bitmap)
        hgctrl.free_bitmap = free_bitmap & ~bit(ret)
        yield STEP
        hgctrl.owners[ret] = owner.id
        yield hgctrl.lock.unlock_irqrestore
        return ret


class IrqsOff(PercpuV5):
    def take_line_away(k, current, vcpu, hgei):
        yield from super().take_line_away(current, vcpu, hgei)
        yield LOCAL_IRQ_DISABLE


class PreemptOn(PercpuV5):
    def take_line_away(k, current, vcpu, hgei):
        yield PREEMPT_ENABLE
        yield from super().take_line_away(current, vcpu, hgei)


class UnlocksTwice(PercpuV5):
    def imsic_swfile_extirq_update(k, current, vcpu):
        yield from super().imsic_swfile_extirq_update(current, vcpu)
        yield vcpu.swfile_extirq_lock.unlock_irqrestore


class Mutex(PercpuV5):
    def kvm_riscv_vcpu_wfi(k, current, vcpu):
        yield vcpu.vm.lock.lock
        yield from super().kvm_riscv_vcpu_wfi(current, vcpu)


class Atomic(PercpuV5):
    def kvm_riscv_vcpu_wfi(k, current, vcpu):
        yield PREEMPT_DISABLE
        yield from super().kvm_riscv_vcpu_wfi(current, vcpu)
        yield PREEMPT_ENABLE


class Assert(PercpuV5):
    def kvm_riscv_aia_free_hgei(k, cpu, hgei):
        yield STEP
        assert hgei > 7, "a high line"
        yield from super().kvm_riscv_aia_free_hgei(cpu, hgei)


class Divides(PercpuV5):
    def kvm_riscv_aia_free_hgei(k, cpu, hgei):
        yield STEP
        hgei //= k.hgei[cpu].owners[0]
        yield from super().kvm_riscv_aia_free_hgei(cpu, hgei)


class OtherCpu(PercpuV5):
    def kvm_riscv_vcpu_aia_imsic_reset(k, current, vcpu):
        yield from k.kvm_riscv_aia_alloc_hgei(1 - current.cpu, vcpu)


class Endless(PercpuV5):
    def kvm_riscv_aia_free_hgei(k, cpu, hgei):
        while True:
            yield STEP


class Relocks(PercpuV5):
    def kvm_riscv_aia_free_hgei(k, cpu, hgei):
        hgctrl = k.hgei[cpu]
        while True:
            yield hgctrl.lock.lock_irqsave
            yield STEP
            yield hgctrl.lock.unlock_irqrestore


class Counts(PercpuV5):
    def kvm_riscv_aia_free_hgei(k, cpu, hgei):
        i = 0
        while True:
            i += 1
            yield STEP


class PollsForNobody(PercpuV5):
    def kvm_riscv_aia_free_hgei(k, cpu, hgei):
        while True:
            yield STEP
            if not k.hgei[cpu].owners[hgei]:
                break
        yield from super().kvm_riscv_aia_free_hgei(cpu, hgei)


# Sound


class HandsOver(PercpuV5):
    """A function that takes a lock, and one that gives it back."""

    @hands_over("hgctrl->lock", "interrupts", "preemption")
    def lock_hgei(k, hgctrl):
        yield hgctrl.lock.lock_irqsave

    @hands_over("hgctrl->lock", "interrupts", "preemption")
    def unlock_hgei(k, hgctrl):
        yield hgctrl.lock.unlock_irqrestore

    def kvm_riscv_aia_free_hgei(k, cpu, hgei):
        hgctrl = k.hgei[cpu]
        yield from k.lock_hgei(hgctrl)
        yield STEP
        hgctrl.free_bitmap |= bit(hgei)
        yield STEP
        hgctrl.owners[hgei] = 0
        yield from k.unlock_hgei(hgctrl)


class Polls(PercpuV5):
    """Looks until nobody is inside the lock."""

    def kvm_riscv_aia_free_hgei(k, cpu, hgei):
        while True:
            yield STEP
            if not k.hgei[cpu].lock.inside:
                break
        yield from super().kvm_riscv_aia_free_hgei(cpu, hgei)


class ComparesAndExchanges(PercpuV5):
    """free_bitmap without its lock, as a loop of compare and exchange."""

    def kvm_riscv_aia_free_hgei(k, cpu, hgei):
        hgctrl = k.hgei[cpu]
        yield STEP
        hgctrl.owners[hgei] = 0
        yield STEP
        seen = hgctrl.free_bitmap
        while True:
            yield STEP
            found = hgctrl.free_bitmap
            if found == seen:
                hgctrl.free_bitmap = seen | bit(hgei)
                break
            seen = found
