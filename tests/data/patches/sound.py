"""Nine sound patches: none of them may be accused of anything.  The tenth is in vcpu_mutex.py."""

from hgeisim.kernel.aia import Aia
from hgeisim.kernel.aia_imsic import Imsic, ImsicDevice
from hgeisim.kernel.variants.percpu_v5 import PercpuV5
from hgeisim.kernel.vcpu import VcpuRun
from hgeisim.machine.hart import bit, ffs
from hgeisim.machine.ops import PREEMPT_DISABLE, PREEMPT_ENABLE, STEP

ENOENT = 2


class StepMore(Aia):
    """A step more before the line is freed."""

    def kvm_riscv_aia_free_hgei(k, cpu, hgei):
        yield STEP
        yield from super().kvm_riscv_aia_free_hgei(cpu, hgei)


class LockOnceMore(Aia):
    """The lock is taken once more, for nothing, after a line was allocated."""

    def kvm_riscv_aia_alloc_hgei(k, cpu, owner):
        ret = yield from super().kvm_riscv_aia_alloc_hgei(cpu, owner)
        yield k.hgei[cpu].lock.lock_irqsave
        yield k.hgei[cpu].lock.unlock_irqrestore
        return ret


class OwnerFirst(Aia):
    """alloc_hgei writes owners[] before free_bitmap: both are under the lock."""

    def kvm_riscv_aia_alloc_hgei(k, cpu, owner):
        hgctrl = k.hgei[cpu]
        ret = -ENOENT
        yield hgctrl.lock.lock_irqsave
        free_bitmap = hgctrl.free_bitmap
        if free_bitmap:
            ret = ffs(free_bitmap)
            yield STEP
            hgctrl.owners[ret] = owner.id
            yield STEP
            hgctrl.free_bitmap = free_bitmap & ~bit(ret)
        yield hgctrl.lock.unlock_irqrestore
        return ret


class OwnerFirstFree(Aia):
    """free_hgei clears owners[] before it sets the bit."""

    def kvm_riscv_aia_free_hgei(k, cpu, hgei):
        hgctrl = k.hgei[cpu]
        yield hgctrl.lock.lock_irqsave
        if 0 < hgei <= k.nr_hgei(hgctrl):
            yield STEP
            if not hgctrl.free_bitmap & bit(hgei):
                yield STEP
                hgctrl.owners[hgei] = 0
                yield STEP
                hgctrl.free_bitmap |= bit(hgei)
        yield hgctrl.lock.unlock_irqrestore


class HighestFirst(Aia):
    """The highest free line is taken, not the lowest."""

    def kvm_riscv_aia_alloc_hgei(k, cpu, owner):
        hgctrl = k.hgei[cpu]
        ret = -ENOENT
        yield hgctrl.lock.lock_irqsave
        free_bitmap = hgctrl.free_bitmap
        if free_bitmap:
            ret = free_bitmap.bit_length() - 1
            yield STEP
            hgctrl.free_bitmap = free_bitmap & ~bit(ret)
            yield STEP
            hgctrl.owners[ret] = owner.id
        yield hgctrl.lock.unlock_irqrestore
        return ret


class PreemptOff(ImsicDevice):
    """A device ioctl has preemption off around nothing."""

    def kvm_riscv_aia_imsic_rw_attr(k, current, vcpu):
        yield PREEMPT_DISABLE
        yield STEP
        yield PREEMPT_ENABLE
        yield from super().kvm_riscv_aia_imsic_rw_attr(current, vcpu)


class LooksTwice(Imsic):
    """imsic_update looks at vsfile_cpu once more before it begins."""

    def kvm_riscv_vcpu_aia_imsic_update(k, current, vcpu):
        yield vcpu.vsfile_lock.read_lock_irqsave
        yield vcpu.vsfile_lock.read_unlock_irqrestore
        return (yield from super().kvm_riscv_vcpu_aia_imsic_update(current, vcpu))


class KicksTwice(VcpuRun):
    """A vCPU is kicked twice."""

    def kvm_vcpu_kick(k, current, vcpu):
        yield from super().kvm_vcpu_kick(current, vcpu)
        yield from super().kvm_vcpu_kick(current, vcpu)


class Posted(PercpuV5):
    """percpu-v5 as a file of one's own."""
