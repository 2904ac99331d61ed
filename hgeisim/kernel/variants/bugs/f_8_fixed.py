"""A fix of F-8: a vCPU enters its guest only with the VMID that its VM has now."""

from __future__ import annotations

from hgeisim.kernel.main import Module
from hgeisim.kernel.structs import REQ_UPDATE_HGATP, Thread, Vcpu
from hgeisim.machine.ops import STEP, Path


class F8Fixed(Module):
    """Each vCPU keeps the version of the VMID that it has written to HGATP, and compares that one,
    not the one of its VM; where it is old, it asks itself to write HGATP again."""

    def kvm_riscv_gstage_vmid_ver_changed(k, vcpu: Vcpu) -> bool:
        """kvm_riscv_gstage_vmid_ver_changed with the patch."""
        return k.vmids_run_out and vcpu.hgatp_version != k.globals.vmid_version

    def kvm_riscv_gstage_vmid_update(k, current: Thread, vcpu: Vcpu | None) -> Path[None]:
        """kvm_riscv_gstage_vmid_update with the patch (2.16 step 2)."""
        if vcpu is None:
            yield from k.first_user_of_a_version(current)
            return
        yield STEP
        if not k.kvm_riscv_gstage_vmid_ver_changed(vcpu):
            return
        yield k.vmid_lock.lock
        vcpu.vm.vmid.version = k.globals.vmid_version
        yield k.vmid_lock.unlock
        yield STEP
        vcpu.requests |= REQ_UPDATE_HGATP
