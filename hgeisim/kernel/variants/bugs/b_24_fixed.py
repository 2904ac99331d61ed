"""A fix of B-24: no CPU goes offline while an ioctl accesses a VS-file."""

from __future__ import annotations

from hgeisim.kernel.aia_imsic import ImsicDevice
from hgeisim.kernel.structs import Thread, Vcpu
from hgeisim.kernel.variants.rw_attr_mutex import RwAttrMutex
from hgeisim.machine.ops import Path


class B24Fixed(RwAttrMutex):
    """On rw-attr-mutex: cpus_read_lock inside of vcpu->mutex, so that hotplug waits for the access
    and not for the guest."""

    def rw_vcpu_attr(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """kvm_riscv_aia_imsic_rw_attr with the patch (2.14)."""
        yield vcpu.mutex.lock
        yield k.cpu_hotplug_lock.down_read
        yield from ImsicDevice.rw_vcpu_attr(k, current, vcpu)
        yield k.cpu_hotplug_lock.up_read
        yield vcpu.mutex.unlock
