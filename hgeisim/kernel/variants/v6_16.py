"""Linux v6.16: a blocked vCPU's line is armed when it is put, not searched for."""

from __future__ import annotations

from hgeisim.kernel.state import Thread, Vcpu
from hgeisim.kernel.variants.v6_12 import V6_12
from hgeisim.machine.hart import bit
from hgeisim.machine.ops import PREEMPT_DISABLE, PREEMPT_ENABLE, STEP, Path


class V6_16(V6_12):  # noqa: N801 - the version as people write it
    """With 4cec89db80ba: HGEIE and HGEIP are accessed by the IMSIC code (bug B-02 and its fix)."""

    name = "v6.16"

    def kvm_arch_vcpu_blocking(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """kvm_arch_vcpu_blocking, v6.16: nothing."""
        yield from ()

    def kvm_arch_vcpu_unblocking(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """kvm_arch_vcpu_unblocking, v6.16: nothing."""
        yield from ()

    def kvm_sched_out(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """kvm_sched_out, v6.16, from within schedule(): kvm_arch_vcpu_put, imsic_put (2.10).

        There it runs with interrupts off under the run queue's lock, and also when a vCPU that is
        about to sleep is preempted first; neither is modelled.
        """
        yield PREEMPT_DISABLE
        yield from k.kvm_riscv_vcpu_aia_imsic_put(current, vcpu)
        yield PREEMPT_ENABLE

    def kvm_riscv_vcpu_aia_imsic_put(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """kvm_riscv_vcpu_aia_imsic_put, v6.16 (2.10): arms the line, on *this* CPU, of a vCPU
        that is about to sleep."""
        if vcpu.wait.waiter:
            yield STEP
            if vcpu.vsfile_cpu > -1:
                current.hart.write_hgeie(current.hart.hgeie | bit(vcpu.vsfile_hgei))
                yield current.hart.sgei

    def kick_after_store(k, vcpu: Vcpu) -> Path[None]:
        """Gone by v6.16 ("Remove unnecessary vcpu kick", 2025): SGEI does it, where it is armed."""
        yield from ()

    def kvm_riscv_vcpu_aia_has_interrupts(k, current: Thread, vcpu: Vcpu) -> Path[int]:
        """kvm_riscv_vcpu_aia_imsic_has_interrupt, v6.16 (2.11): reads HGEIP of this CPU, whatever
        CPU the VS-file is on."""
        yield STEP
        if vcpu.vsfile_cpu > -1:
            return 1 if current.hart.hgeip & bit(vcpu.vsfile_hgei) else 0
        return 0

    def disarm_new_line(k, cpu: int, hgei: int) -> Path[None]:
        """2.8 step 5, v6.16: the new line may still be armed for its last owner."""
        yield STEP
        k.hart[cpu].hgeie &= ~bit(hgei)
