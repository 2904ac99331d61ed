"""arch/riscv/kvm/mmu.c and tlb.c of v6.12: where the guest's IMSIC page is mapped to."""

from __future__ import annotations

from hgeisim.kernel.request import Request
from hgeisim.kernel.structs import REQ_HFENCE, Vcpu, Vm
from hgeisim.machine.kernel_name import part_of
from hgeisim.machine.ops import STEP, Path
from hgeisim.machine.task import Runner

RAM = 1
"""The bit of all other pages in a queue of fences; what HARTs cache of them is not modelled."""


class Mmu(Request):
    """Mapping and unmapping one page of the G-stage page table, with the fences that follow."""

    def kvm_riscv_mmu_ioremap(k, current: Runner, vcpu: Vcpu, cpu: int, hgei: int) -> Path[None]:
        """kvm_riscv_gstage_ioremap, v6.12 (2.8 step 7): the page is that guest file from now on."""
        yield vcpu.vm.mmu_lock.lock
        yield from k.gstage_set_pte(current, vcpu, cpu, hgei)
        yield vcpu.vm.mmu_lock.unlock

    def kvm_riscv_mmu_iounmap(k, current: Runner, vcpu: Vcpu) -> Path[None]:
        """kvm_riscv_gstage_iounmap, v6.12 (2.9 step 3): the page traps from now on."""
        yield vcpu.vm.mmu_lock.lock
        if vcpu.vm.pgd:
            yield from k.gstage_set_pte(current, vcpu, -1, -1)
        yield vcpu.vm.mmu_lock.unlock

    def kvm_riscv_mmu_free_pgd(k, current: Runner, vm: Vm) -> Path[None]:
        """kvm_riscv_gstage_free_pgd, v6.12: all is unmapped, and the page table given back.

        It is called once.
        """
        yield vm.mmu_lock.lock
        i = 0
        while i < len(vm.vcpus):
            if vm.vcpus[i].pte_cpu >= 0:
                yield from k.gstage_set_pte(current, vm.vcpus[i], -1, -1)
            i += 1
        vm.pgd = 0
        yield vm.mmu_lock.unlock
        yield STEP
        vm.pgd_freed = 1

    def gstage_set_pte(k, current: Runner, vcpu: Vcpu, cpu: int, hgei: int) -> Path[None]:
        """gstage_set_pte or gstage_op_pte, v6.12: the fence is waited for under mmu_lock."""
        vcpu.pte_cpu, vcpu.pte_hgei = cpu, hgei
        yield from k.kvm_riscv_hfence_gvma_vmid_gpa(current, vcpu)

    def kvm_riscv_hfence_gvma_vmid_gpa(k, current: Runner, vcpu: Vcpu) -> Path[None]:
        """kvm_riscv_hfence_gvma_vmid_gpa, v6.12, of the IMSIC page of a vCPU."""
        yield from k.make_xfence_request(current, vcpu.vm, 1 << vcpu.id)

    @part_of("kvm_riscv_hfence_gvma_vmid_gpa", "kvm_riscv_mmu_map")
    def make_xfence_request(k, current: Runner, vm: Vm, page: int) -> Path[None]:
        """make_xfence_request, v6.12: queue the fence for every vCPU of the VM, then ask for it."""
        i = 0
        while i < len(vm.vcpus):
            target = vm.vcpus[i]
            yield target.hfence_lock.lock
            target.hfence |= page
            yield target.hfence_lock.unlock
            i += 1
        yield from k.kvm_make_vcpus_request_mask(current, vm, REQ_HFENCE)

    def kvm_riscv_mmu_map(k, current: Runner, vcpu: Vcpu) -> Path[None]:
        """kvm_riscv_gstage_map, v6.12 (2.16 step 20): the guest has written to a page that the
        dirty log keeps read-only; that may be written from now on, and is fenced under mmu_lock."""
        yield vcpu.vm.mmu_lock.lock
        yield from k.make_xfence_request(current, vcpu.vm, RAM)
        yield vcpu.vm.mmu_lock.unlock

    def kvm_riscv_hfence_process(k, current: Runner, vcpu: Vcpu) -> Path[None]:
        """kvm_riscv_hfence_process, v6.12: the vCPU's own CPU empties its queue, and fences."""
        yield vcpu.hfence_lock.lock
        queue, vcpu.hfence = vcpu.hfence, 0
        yield vcpu.hfence_lock.unlock
        k.kvm_riscv_local_hfence_gvma_vmid_gpa(current.cpu, vcpu.vm, queue)

    def kvm_riscv_local_hfence_gvma_vmid_gpa(k, cpu: int, vm: Vm, queue: int) -> None:
        """kvm_riscv_local_hfence_gvma_vmid_gpa, v6.12: this CPU drops what it has cached of the
        IMSIC pages whose vCPUs have a bit in `queue`."""
        if vm.stores:
            for vcpu in vm.vcpus:
                if queue >> vcpu.id & 1:
                    vcpu.translations.drop(cpu)

    def kvm_riscv_local_hfence_gvma_vmid_all(k, cpu: int, vm: Vm) -> None:
        """kvm_riscv_local_hfence_gvma_vmid_all, v6.12: of all pages of a VM."""
        for vcpu in vm.vcpus:
            vcpu.translations.drop(cpu)

    def kvm_riscv_gstage_vmid_sanitize(k, current: Runner, vcpu: Vcpu) -> None:
        """kvm_riscv_gstage_vmid_sanitize, v6.12 (2.16 step 12): fences that it executed elsewhere
        were not executed here."""
        if vcpu.vm.stores and vcpu.last_exit_cpu != vcpu.cpu:
            k.kvm_riscv_local_hfence_gvma_vmid_all(current.cpu, vcpu.vm)
        if k.vmids_run_out and vcpu.last_exit_cpu != vcpu.cpu:
            vcpu.vm.vmid.flush(current.cpu, vcpu.hgatp_version)
