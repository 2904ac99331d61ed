"""arch/riscv/kvm/aia_device.c of v6.12: the AIA device of a VM (2.15, 2.19)."""

from __future__ import annotations

from hgeisim.kernel.aia_imsic import ImsicDevice
from hgeisim.kernel.structs import AUTO, EINVAL, HWACCEL, Thread, Vm
from hgeisim.machine.ops import STEP, Path


class AiaDevice(ImsicDevice):
    """The functions of aia_device.c."""

    def aia_init(k, current: Thread, vm: Vm) -> Path[None]:
        """aia_imsic_addr and aia_init, v6.12: under kvm->lock, each vCPU's address is set with
        vcpu->mutex held, and its page goes onto the I/O bus, which waits for SRCU readers."""
        yield vm.lock.lock
        i = 0
        while i < len(vm.vcpus):
            yield vm.vcpus[i].mutex.lock
            yield vm.vcpus[i].mutex.unlock
            yield vm.slots_lock.lock
            yield vm.srcu.synchronize_srcu
            yield vm.slots_lock.unlock
            i += 1
        yield vm.lock.unlock

    def aia_config(k, vm: Vm) -> Path[int]:
        """aia_config, v6.12: without any HGEI line AUTO and HWACCEL are refused, and the monitor
        stays with EMUL."""
        yield STEP
        if vm.aia_mode in (AUTO, HWACCEL) and not k.globals.kvm_riscv_aia_nr_hgei:
            return -EINVAL
        return 0
