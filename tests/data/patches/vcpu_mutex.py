"""Patches that take vcpu->mutex beside a vCPU that may be in KVM_RUN."""

from hgeisim.kernel.aia_imsic import ImsicDevice
from hgeisim.kernel.structs import Thread, Vcpu
from hgeisim.machine.ops import STEP, Path


class GetRegs(ImsicDevice):
    """An ioctl of a vCPU from another thread."""

    def kvm_riscv_aia_imsic_rw_attr(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """vcpu->mutex, and an answer that is right."""
        yield vcpu.mutex.lock
        current.data.value = 1
        yield vcpu.mutex.unlock


class Landed(ImsicDevice):
    """The order of v7.3: kvm->lock, then vcpu->mutex, then the access."""

    def kvm_riscv_aia_imsic_rw_attr(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """vcpu->mutex inside kvm->lock."""
        yield vcpu.vm.lock.lock
        yield vcpu.mutex.lock
        yield vcpu.vsfile_lock.read_lock_irqsave
        cpu, hgei = vcpu.vsfile_cpu, vcpu.vsfile_hgei
        if cpu < 0:
            current.data.value = vcpu.swfile.eidelivery
        yield vcpu.vsfile_lock.read_unlock_irqrestore
        if cpu >= 0:
            yield STEP
            current.data.hgei, current.data.vcpu = hgei, vcpu.id
            yield from k.on_each_cpu_mask(current, 1 << cpu, k.vsfile_local_rw)
            yield STEP
            current.data.hgei = current.data.vcpu = 0
        yield vcpu.mutex.unlock
        yield vcpu.vm.lock.unlock


class RunTakesKvmLock(Landed):
    """As Landed, but KVM_RUN takes kvm->lock at the end of a block: that is a deadlock."""

    def kvm_riscv_vcpu_wfi(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """With kvm->lock."""
        yield vcpu.vm.lock.lock
        yield vcpu.vm.lock.unlock
        yield from super().kvm_riscv_vcpu_wfi(current, vcpu)


class Spins(ImsicDevice):
    """Waits for the same with preemption off: no guest may be waited for so."""

    def kvm_riscv_aia_imsic_rw_attr(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """vcpu->mutex inside a spinlock."""
        yield vcpu.hfence_lock.lock
        yield vcpu.mutex.lock
        yield vcpu.mutex.unlock
        yield vcpu.hfence_lock.unlock


class Keeps(ImsicDevice):
    """The mutex is never given back: who waits for it waits for no guest."""

    def kvm_riscv_aia_imsic_rw_attr(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """Locked, and left so."""
        yield vcpu.mutex.lock
