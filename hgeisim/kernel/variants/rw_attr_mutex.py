"""8ae12ccaec6e: an ioctl that accesses a VS-file keeps the vCPU from moving (v7.2.9, v7.3)."""

from __future__ import annotations

from hgeisim.kernel.aia_imsic import ImsicDevice
from hgeisim.kernel.structs import Thread, Vcpu
from hgeisim.machine.ops import Path


class RwAttrMutex(ImsicDevice):
    """With "Serialize IMSIC attributes with vCPU migration" (fixes bug B-10): kvm->lock is held
    while the vCPU runs, for as long as it does not leave KVM_RUN (RA-1)."""

    def rw_vcpu_attr(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """kvm_riscv_aia_imsic_rw_attr, v7.3 (2.14): vcpu->mutex inside of kvm->lock."""
        yield vcpu.mutex.lock
        yield from super().rw_vcpu_attr(current, vcpu)
        yield vcpu.mutex.unlock
