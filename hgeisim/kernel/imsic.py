"""arch/riscv/kvm/aia_imsic.c of v6.12, with an interrupt file reduced to one pending bit.

Left out: the G-stage page table (of the unmapping, the request to the vCPU is there), and the
registers behind the pending bit.  vsfile_lock is never held across another step here, so a section
under it is one step of the path.
"""

from __future__ import annotations

from hgeisim.kernel.aia import Aia
from hgeisim.kernel.state import (
    EXITING_GUEST_MODE,
    HWACCEL,
    IN_GUEST_MODE,
    OUTSIDE_GUEST_MODE,
    Thread,
    Vcpu,
)
from hgeisim.machine.hart import bit
from hgeisim.machine.ops import STEP, SWEEP_VSFILE, Path, Spend


class Imsic(Aia):
    """The functions of aia_imsic.c."""

    def imsic_vsfile_local_read(k, cpu: int, sender: Thread) -> Path[None]:
        """imsic_vsfile_local_read, v6.12: reads and clears a VS-file, in an IPI on its CPU."""
        hart, hgei = k.hart[cpu], sender.read_hgei
        old_vgein = hart.vgein
        hart.vgein = hgei
        yield SWEEP_VSFILE
        sender.read_mrif = 1 if hart.hgeip & bit(hgei) else 0
        hart.hgeip &= ~bit(hgei)
        hart.vgein = old_vgein

    def imsic_vsfile_local_clear(k, cpu: int, hgei: int) -> Path[None]:
        """imsic_vsfile_local_clear, v6.12 (2.8 step 6): zeroes a VS-file on this CPU."""
        hart = k.hart[cpu]
        yield STEP
        old_vgein = hart.vgein
        hart.vgein = hgei
        yield SWEEP_VSFILE
        hart.hgeip &= ~bit(hgei)
        hart.vgein = old_vgein

    def imsic_vsfile_read(k, current: Thread, cpu: int, hgei: int) -> Path[int]:
        """imsic_vsfile_read, v6.12: on_each_cpu_mask with wait; returns what was pending.

        Nothing happens, and nothing is pending, when that CPU is offline.
        """
        current.read_hgei = hgei
        yield k.vsfile_read[cpu]
        pending = current.read_mrif
        current.read_hgei = current.read_mrif = 0
        return pending

    def kvm_riscv_mmu_iounmap(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """kvm_riscv_mmu_iounmap, v6.12 (2.9 step 3), as far as the vCPU notices: an HFENCE request,
        and an IPI that makes its guest exit (kvm_make_vcpus_request_mask with KVM_REQUEST_WAIT)."""
        yield STEP
        vcpu.requests = 1
        yield STEP
        mode = vcpu.mode
        if mode == IN_GUEST_MODE:
            vcpu.mode = EXITING_GUEST_MODE
        cpu = vcpu.thread.cpu
        if cpu != current.cpu and mode != OUTSIDE_GUEST_MODE:
            yield k.ack_flush[cpu]

    def ack_flush_here(k, cpu: int, sender: Thread) -> Path[None]:
        """ack_kick, v6.12: an IPI handler that does nothing but arrive."""
        yield STEP

    def kvm_riscv_vcpu_aia_imsic_release(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """kvm_riscv_vcpu_aia_imsic_release, v6.12 (2.9): also called for somebody else's vCPU,
        by the CPU that goes offline.

        What was pending goes to the SW-file, whose update of the external interrupt kicks.
        """
        yield STEP
        old_cpu, old_hgei = vcpu.vsfile_cpu, vcpu.vsfile_hgei
        if old_cpu < 0:
            return
        vcpu.vsfile_cpu = vcpu.vsfile_hgei = -1
        yield from k.kvm_riscv_mmu_iounmap(current, vcpu)
        pending = yield from k.imsic_vsfile_read(current, old_cpu, old_hgei)
        if pending:
            yield STEP
            vcpu.sw_pending = 1
            yield vcpu.wait.wake_up
        yield from k.kvm_riscv_aia_free_hgei(old_cpu, old_hgei)

    def kvm_riscv_vcpu_aia_imsic_update(k, current: Thread, vcpu: Vcpu) -> Path[int]:
        """kvm_riscv_vcpu_aia_imsic_update, v6.12 (2.8): before each guest entry, preemption off.

        Returns 1 to enter the guest, 0 for KVM_EXIT_FAIL_ENTRY: HWACCEL without a free line, the
        old line is kept.
        """
        cpu = current.cpu
        yield STEP
        old_cpu, old_hgei = vcpu.vsfile_cpu, vcpu.vsfile_hgei
        if old_cpu == cpu:
            return 1
        new_hgei = yield from k.kvm_riscv_aia_alloc_hgei(cpu, vcpu)
        if new_hgei <= 0:
            if vcpu.aia_mode == HWACCEL:
                return 0
            if old_cpu >= 0:
                yield from k.kvm_riscv_vcpu_aia_imsic_release(current, vcpu)
            vcpu.vgein = 0
            return 1
        yield from k.disarm_new_line(cpu, new_hgei)
        yield from k.imsic_vsfile_local_clear(cpu, new_hgei)
        yield STEP
        vcpu.vsfile_cpu, vcpu.vsfile_hgei = cpu, new_hgei
        if old_cpu >= 0:
            pending = yield from k.imsic_vsfile_read(current, old_cpu, old_hgei)
            yield from k.kvm_riscv_aia_free_hgei(old_cpu, old_hgei)
        else:
            yield STEP
            pending = vcpu.sw_pending
            vcpu.sw_pending = 0
        if pending:
            yield STEP
            k.hart[cpu].raise_hgeip(new_hgei)
            yield k.hart[cpu].sgei
        vcpu.vgein = new_hgei
        return 1

    def disarm_new_line(k, cpu: int, hgei: int) -> Path[None]:
        """2.8 step 5: nothing in v6.12."""
        yield from ()

    def kvm_riscv_vcpu_aia_imsic_inject(k, vcpu: Vcpu) -> Path[None]:
        """kvm_riscv_vcpu_aia_imsic_inject, v6.12 (2.12): irqfd or KVM_SIGNAL_MSI.

        v6.12 kicks the vCPU also after the store to its VS-file.
        """
        yield STEP
        cpu = vcpu.vsfile_cpu
        if cpu >= 0:
            k.hart[cpu].raise_hgeip(vcpu.vsfile_hgei)
            yield k.hart[cpu].sgei
            yield from k.kick_after_store(vcpu)
        else:
            vcpu.sw_pending = 1
            yield vcpu.wait.wake_up

    def kick_after_store(k, vcpu: Vcpu) -> Path[None]:
        """kvm_vcpu_kick at the end of the VS-file branch, v6.12."""
        yield vcpu.wait.wake_up

    def imsic_page_write(k, vcpu: Vcpu) -> Path[None]:
        """A store to the guest's IMSIC page, from a passed-through device or another vCPU.

        With a VS-file behind it no software sees it, and only an armed SGEI wakes the vCPU; without
        one it traps, and KVM injects.
        """
        yield STEP
        cpu = vcpu.vsfile_cpu
        if cpu >= 0:
            k.hart[cpu].raise_hgeip(vcpu.vsfile_hgei)
            yield k.hart[cpu].sgei
        else:
            yield from k.kvm_riscv_vcpu_aia_imsic_inject(vcpu)

    def kvm_riscv_vcpu_aia_imsic_cleanup(k, vcpu: Vcpu) -> Path[None]:
        """kvm_riscv_vcpu_aia_imsic_cleanup, v6.12 (2.15): a vCPU is destroyed.

        Preemptible throughout, also between the detach and free_hgei.  The last step gives the
        memory back (kfree of the IMSIC context and of the vCPU).
        """
        yield STEP
        old_cpu, old_hgei = vcpu.vsfile_cpu, vcpu.vsfile_hgei
        vcpu.vsfile_cpu = vcpu.vsfile_hgei = -1
        yield STEP
        vcpu.sw_pending = 0
        if old_cpu >= 0:
            yield from k.kvm_riscv_aia_free_hgei(old_cpu, old_hgei)
        yield TEARDOWN
        vcpu.freed = 1


TEARDOWN = Spend("vm_teardown")
