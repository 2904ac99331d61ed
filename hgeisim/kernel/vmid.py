"""arch/riscv/kvm/vmid.c of v6.12: VMIDs, and what happens when they are used up (2.16 step 2)."""

from __future__ import annotations

from hgeisim.kernel.mmu import Mmu
from hgeisim.kernel.structs import REQ_UPDATE_HGATP, Caller, Thread, Vcpu
from hgeisim.machine.kernel_name import in_c, outside, part_of
from hgeisim.machine.ops import STEP, Path


class Vmids(Mmu):
    """The VMIDs of all VMs; only a scenario that uses them up (`vmids_run_out`) sees any of it."""

    def kvm_riscv_gstage_vmid_ver_changed(k, vcpu: Vcpu) -> bool:
        """kvm_riscv_gstage_vmid_ver_changed, v6.12, of the VM of a vCPU."""
        return k.vmids_run_out and vcpu.vm.vmid.version != k.globals.vmid_version

    def kvm_riscv_gstage_vmid_update(k, current: Thread, vcpu: Vcpu | None) -> Path[None]:
        """kvm_riscv_gstage_vmid_update, v6.12 (2.16 step 2): a VM whose VMID was taken back gets
        another one, which each of its vCPUs is to write to HGATP (bug F-8: they are asked to when
        the others pass already).

        Without a vCPU it is about some other VM, for which there is no VMID left.
        """
        if vcpu is None:
            yield from k.first_user_of_a_version(current)
            return
        vm = vcpu.vm
        yield STEP
        if not k.kvm_riscv_gstage_vmid_ver_changed(vcpu):
            return
        yield k.vmid_lock.lock
        changed = k.kvm_riscv_gstage_vmid_ver_changed(vcpu)
        if changed:
            yield STEP
            vm.vmid.vmid = k.globals.vmid_version
            yield STEP
            vm.vmid.version = k.globals.vmid_version
        yield k.vmid_lock.unlock
        i = 0
        while changed and i < len(vm.vcpus):
            yield STEP
            vm.vcpus[i].requests |= REQ_UPDATE_HGATP
            i += 1

    @part_of("kvm_riscv_gstage_vmid_update")
    def first_user_of_a_version(k, current: Thread) -> Path[None]:
        """kvm_riscv_gstage_vmid_update, v6.12 (2.16 step 2), where no VMID is left: all are taken
        back, and every CPU flushes."""
        yield k.vmid_lock.lock
        yield STEP
        k.globals.vmid_version += 1
        yield from k.on_each_cpu_mask(current, k.cpu_online_mask(), k.hfence_gvma_all)
        yield k.vmid_lock.unlock

    @part_of("kvm_riscv_gstage_vmid_update")
    def cpu_online_mask(k) -> int:
        """A bit for each CPU that is online."""
        return sum(1 << hart.id for hart in k.hart if hart.online)

    @in_c("__local_hfence_gvma_all")
    def local_hfence_gvma_all(k, current: Caller, sender: Caller) -> Path[None]:
        """__local_hfence_gvma_all, v6.12: this CPU drops what it has cached of all VMs."""
        yield STEP
        k.flush_all_vms(current.cpu)

    @outside("hardware")
    def flush_all_vms(k, cpu: int) -> None:
        """HFENCE.GVMA of everything on a CPU.  Firmware executes it where a HART is started (2.19),
        since it sets up PMP there."""
        for vm in k.vms:
            if k.vmids_run_out:
                vm.vmid.flush(cpu, k.globals.vmid_version)
            if vm.stores:
                k.kvm_riscv_local_hfence_gvma_vmid_all(cpu, vm)

    def kvm_riscv_gstage_update_hgatp(k, vcpu: Vcpu) -> Path[None]:
        """kvm_riscv_gstage_update_hgatp, v6.12 (2.10 step 6): HGATP := the VMID of now."""
        if k.vmids_run_out:
            yield STEP
            vcpu.hgatp_version = vcpu.vm.vmid.vmid
