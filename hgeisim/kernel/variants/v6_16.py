"""Linux v6.16: a blocked vCPU's line is armed when it is put, not searched for."""

from __future__ import annotations

from hgeisim.kernel.structs import Thread, Vcpu, Vm
from hgeisim.kernel.variants.exit_order import ExitOrder
from hgeisim.kernel.variants.v6_12 import V6_12
from hgeisim.machine.balance import hands_over
from hgeisim.machine.hart import bit
from hgeisim.machine.ops import STEP, Path
from hgeisim.machine.task import Runner


class V6_16(ExitOrder, V6_12):  # noqa: N801 - the version as people write it
    """With 4cec89db80ba: HGEIE and HGEIP are accessed by the IMSIC code (bug B-02 and its fix)."""

    name = "v6.16"

    def kvm_arch_vcpu_blocking(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """kvm_arch_vcpu_blocking, v6.16: nothing."""
        yield from ()

    def kvm_arch_vcpu_unblocking(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """kvm_arch_vcpu_unblocking, v6.16: nothing."""
        yield from ()

    def request_sgei(k) -> Path[None]:
        """request_percpu_irq of SGEI in aia_hgei_init, v6.16 (2.2): only with a line (15ff2ff3c3b9,
        v6.13)."""
        yield STEP
        if k.globals.kvm_riscv_aia_nr_hgei:
            k.globals.hgei_parent_irq = 1

    @hands_over("vcpu->mutex")
    def lock_all_vcpus(k, vm: Vm) -> Path[int]:
        """kvm_trylock_all_vcpus, v6.16: kvm->lock keeps others from taking several of them, so
        lockdep counts all as one (nest lock)."""
        i = 0
        while i < len(vm.vcpus):
            locked = yield vm.vcpus[i].mutex.trylock_nest_lock
            if not locked:
                return i
            i += 1
        return i

    def kvm_riscv_vcpu_aia_put(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """kvm_riscv_vcpu_aia_put, v6.16 (2.10), but for the CSRs that it saves."""
        yield from k.kvm_riscv_vcpu_aia_imsic_put(current, vcpu)

    def kvm_riscv_vcpu_aia_imsic_put(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """kvm_riscv_vcpu_aia_imsic_put, v6.16 (2.10): arms the line, on *this* CPU, of a vCPU that
        is about to sleep.

        Called from within __schedule, vsfile_lock is taken under the run queue's lock (bug B-08).
        """
        yield STEP
        if vcpu.wait.waiter:
            yield vcpu.vsfile_lock.read_lock_irqsave
            if vcpu.vsfile_cpu > -1:
                current.hart.write_hgeie(current.hart.hgeie | bit(vcpu.vsfile_hgei))
                yield k.sgei[current.cpu]
            yield vcpu.vsfile_lock.read_unlock_irqrestore

    def kick_after_store(k, current: Runner, vcpu: Vcpu) -> Path[None]:
        """Gone by v6.16 ("Remove unnecessary vcpu kick", 2025): SGEI does it, where it is armed."""
        yield from ()

    def kvm_riscv_vcpu_aia_has_interrupts(k, current: Runner, vcpu: Vcpu) -> Path[int]:
        """kvm_riscv_vcpu_aia_imsic_has_interrupt, v6.16 (2.11): reads HGEIP of this CPU, whatever
        CPU the VS-file is on."""
        ret = 0
        yield vcpu.vsfile_lock.read_lock_irqsave
        if vcpu.vsfile_cpu > -1:
            ret = 1 if current.hart.hgeip & bit(vcpu.vsfile_hgei) else 0
        yield vcpu.vsfile_lock.read_unlock_irqrestore
        return ret

    def disarm_new_line(k, cpu: int, hgei: int) -> Path[None]:
        """2.8 step 5, v6.16: the new line may still be armed for its last owner."""
        yield STEP
        k.hart[cpu].hgeie &= ~bit(hgei)
