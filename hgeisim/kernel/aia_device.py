"""arch/riscv/kvm/aia_device.c of v6.12: the AIA device of a VM (2.15, 2.19)."""

from __future__ import annotations

from hgeisim.kernel.aia_imsic import ImsicDevice
from hgeisim.kernel.structs import AUTO, EBUSY, EINVAL, HWACCEL, Thread, Vm
from hgeisim.machine.balance import hands_over
from hgeisim.machine.kernel_name import part_of
from hgeisim.machine.ops import STEP, Path


class AiaDevice(ImsicDevice):
    """The functions of aia_device.c."""

    def aia_create(k, current: Thread, vm: Vm) -> Path[int]:
        """aia_create, v6.12: a VM whose vCPUs all stand still gets its AIA device, with kvm->lock
        held (kvm_ioctl_create_device); -EBUSY otherwise."""
        ret = -EBUSY
        yield vm.lock.lock
        locked = yield from k.lock_all_vcpus(vm)
        if locked == len(vm.vcpus):
            ret = 0
        yield from k.unlock_vcpus(vm, locked)
        yield vm.lock.unlock
        return ret

    @part_of("aia_create")
    @hands_over("vcpu->mutex")
    def lock_all_vcpus(k, vm: Vm) -> Path[int]:
        """aia_create, v6.12: a trylock of each vcpu->mutex; returns how many it got.

        Lockdep follows each of them by itself, so the 48 locks of a task are soon all used.
        """
        i = 0
        while i < len(vm.vcpus):
            locked = yield vm.vcpus[i].mutex.trylock
            if not locked:
                return i
            i += 1
        return i

    @part_of("aia_create")
    @hands_over("vcpu->mutex")
    def unlock_vcpus(k, vm: Vm, locked: int) -> Path[None]:
        """aia_create, v6.12: what it got is given back, the last one first."""
        i = locked
        while i > 0:
            i -= 1
            yield vm.vcpus[i].mutex.unlock

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
