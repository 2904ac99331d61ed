"""B-10's fix: an ioctl that accesses a VS-file keeps the vCPU from moving, by its mutex."""

from __future__ import annotations

from hgeisim.kernel.aia_imsic import ImsicDevice
from hgeisim.kernel.structs import Thread, Vcpu
from hgeisim.machine.ops import Path


class B10Fixed(ImsicDevice):
    """With 8ae12ccaec6e, "Serialize IMSIC attributes with vCPU migration"."""

    def kvm_riscv_aia_imsic_rw_attr(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """kvm_riscv_aia_imsic_rw_attr, v7.3 (2.14): vcpu->mutex around all of it."""
        yield vcpu.mutex.lock
        yield from super().kvm_riscv_aia_imsic_rw_attr(current, vcpu)
        yield vcpu.mutex.unlock
