"""A fix of F-8: the vCPUs of a VM are asked for the new HGATP before its version lets them pass."""

from __future__ import annotations

from hgeisim.kernel.main import Module
from hgeisim.kernel.structs import REQ_UPDATE_HGATP, Thread, Vcpu
from hgeisim.machine.ops import STEP, Path


class F8Fixed(Module):
    """The requests stand between the new VMID and its version, all of it under vmid_lock: a vCPU
    that answers early finds the new VMID, one that sees the new version finds its request."""

    def kvm_riscv_gstage_vmid_update(k, current: Thread, vcpu: Vcpu | None) -> Path[None]:
        """kvm_riscv_gstage_vmid_update with the patch (2.16 step 2)."""
        if vcpu is None:
            yield from k.first_user_of_a_version(current)
            return
        vm = vcpu.vm
        yield STEP
        if not k.kvm_riscv_gstage_vmid_ver_changed(vcpu):
            return
        yield k.vmid_lock.lock
        if k.kvm_riscv_gstage_vmid_ver_changed(vcpu):
            yield STEP
            vm.vmid.vmid = k.globals.vmid_version
            i = 0
            while i < len(vm.vcpus):
                yield STEP
                vm.vcpus[i].requests |= REQ_UPDATE_HGATP
                i += 1
            yield STEP
            vm.vmid.version = k.globals.vmid_version
        yield k.vmid_lock.unlock
