"""dd82e35638d6: the walks of the G-stage page table take its root as an argument (v6.17)."""

from __future__ import annotations

from hgeisim.kernel.mmu import Mmu
from hgeisim.kernel.structs import Vcpu, Vm
from hgeisim.machine.kernel_name import part_of
from hgeisim.machine.ops import STEP, Path
from hgeisim.machine.task import Runner


class Gstage(Mmu):
    """kvm->arch.pgd is read into a struct kvm_gstage before mmu_lock is taken (bug F-6)."""

    @part_of("kvm_riscv_mmu_iounmap")
    def read_pgd(k, vm: Vm) -> Path[int]:
        """The read of kvm->arch.pgd, v6.17 (2.9 step 3a): no lock held.

        It is a step of its own where the root ever changes.
        """
        if vm.monitor_exits:
            yield STEP
        return vm.pgd

    def kvm_riscv_mmu_iounmap(k, current: Runner, vcpu: Vcpu) -> Path[None]:
        """kvm_riscv_mmu_iounmap, v6.17 (2.9 step 3)."""
        pgd = yield from k.read_pgd(vcpu.vm)
        yield vcpu.vm.mmu_lock.lock
        if pgd:
            yield from k.gstage_set_pte(current, vcpu, -1, -1)
        yield vcpu.vm.mmu_lock.unlock
