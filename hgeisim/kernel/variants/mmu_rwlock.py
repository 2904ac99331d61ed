"""9090ba2e, cc98f006 and 60aa6734f542: mmu_lock is a rwlock_t, iounmap fences without it (v7.2)."""

from __future__ import annotations

from typing import Any

from hgeisim.kernel.mmu import RAM
from hgeisim.kernel.structs import AUTO, Vm
from hgeisim.kernel.variants.gstage import Gstage
from hgeisim.machine.ops import STEP, Path
from hgeisim.machine.rwlock import rwlock
from hgeisim.machine.task import Runner


class MmuRwlock(Gstage):
    """A page is mapped with the lock held for writing, its fence inside; an unmapped page is fenced
    when the lock has been dropped.  The dirty log alone reads."""

    def add_vm(k, name: str, aia_mode: int = AUTO) -> Vm:
        """kvm_create_vm with rwlock_init."""
        vm: Any = super().add_vm(name, aia_mode)
        vm.mmu_lock = rwlock(k.memory, f"{name}.mmu_lock", "kvm->mmu_lock", k.realtime)
        made: Vm = vm
        return made

    def kvm_riscv_mmu_ioremap(k, current: Runner, vcpu: Any, cpu: int, hgei: int) -> Path[None]:
        """kvm_riscv_mmu_ioremap, v7.2 (2.8 step 7b-7e)."""
        yield vcpu.vm.mmu_lock.write_lock
        yield from k.gstage_set_pte(current, vcpu, cpu, hgei)
        yield vcpu.vm.mmu_lock.write_unlock

    def kvm_riscv_mmu_iounmap(k, current: Runner, vcpu: Any) -> Path[None]:
        """kvm_riscv_mmu_iounmap, v7.2 (2.9 steps 3b-3e): the fence only if the page was mapped."""
        pgd = yield from k.read_pgd(vcpu.vm)
        yield vcpu.vm.mmu_lock.write_lock
        was_mapped = pgd and vcpu.pte_cpu >= 0
        if was_mapped:
            vcpu.pte_cpu = vcpu.pte_hgei = -1
        yield vcpu.vm.mmu_lock.write_unlock
        if was_mapped:
            yield from k.kvm_riscv_hfence_gvma_vmid_gpa(current, vcpu)

    def kvm_riscv_mmu_map(k, current: Runner, vcpu: Any) -> Path[None]:
        """kvm_riscv_mmu_map, v7.2 (2.16 step 20): a write fault of the dirty log only reads."""
        yield vcpu.vm.mmu_lock.read_lock
        yield from k.make_xfence_request(current, vcpu.vm, RAM)
        yield vcpu.vm.mmu_lock.read_unlock

    def kvm_riscv_mmu_free_pgd(k, current: Runner, vm: Any) -> Path[None]:
        """kvm_riscv_mmu_free_pgd, v7.2: the fences follow when the lock has been dropped."""
        yield vm.mmu_lock.write_lock
        for vcpu in vm.vcpus:
            vcpu.pte_cpu = vcpu.pte_hgei = -1
        vm.pgd = 0
        yield vm.mmu_lock.write_unlock
        i = 0
        while i < len(vm.vcpus):
            yield from k.kvm_riscv_hfence_gvma_vmid_gpa(current, vm.vcpus[i])
            i += 1
        yield STEP
        vm.pgd_freed = 1
