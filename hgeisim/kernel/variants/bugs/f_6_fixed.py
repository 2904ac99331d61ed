"""A fix of F-6: the root of the page table is read under mmu_lock."""

from __future__ import annotations

from typing import Any

from hgeisim.kernel.variants.mmu_rwlock import MmuRwlock
from hgeisim.machine.ops import Path
from hgeisim.machine.task import Runner


class F6Fixed(MmuRwlock):
    """On mmu-rwlock: kvm_riscv_gstage_init after write_lock, so that a page table that is found is
    not given back before the walk has ended."""

    def kvm_riscv_mmu_iounmap(k, current: Runner, vcpu: Any) -> Path[None]:
        """kvm_riscv_mmu_iounmap with the patch (2.9 steps 3a-3e)."""
        yield vcpu.vm.mmu_lock.write_lock
        was_mapped = vcpu.vm.pgd and vcpu.pte_cpu >= 0
        if was_mapped:
            vcpu.pte_cpu = vcpu.pte_hgei = -1
        yield vcpu.vm.mmu_lock.write_unlock
        if was_mapped:
            yield from k.kvm_riscv_hfence_gvma_vmid_gpa(current, vcpu)
