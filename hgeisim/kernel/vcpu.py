"""arch/riscv/kvm/vcpu.c of v6.12: loading a vCPU, and the run loop (2.16)."""

from __future__ import annotations

from hgeisim.kernel.aia_device import AiaDevice
from hgeisim.kernel.structs import (
    IN_GUEST_MODE,
    IRQ_VS_EXT,
    IRQ_VS_SOFT,
    IRQ_VS_TIMER,
    OUTSIDE_GUEST_MODE,
    REQ_HFENCE,
    REQ_UPDATE_HGATP,
    REQ_VCPU_RESET,
    Thread,
    Vcpu,
)
from hgeisim.machine.balance import hands_over
from hgeisim.machine.hart import bit
from hgeisim.machine.kernel_name import outside, part_of
from hgeisim.machine.ops import (
    LOCAL_IRQ_DISABLE,
    LOCAL_IRQ_ENABLE,
    PREEMPT_DISABLE,
    PREEMPT_ENABLE,
    STEP,
    Path,
)

FAIL_ENTRY, EXIT_WFI, EXIT_INTR, EXIT_TOPEI, EXIT_AGAIN, EXIT_SBI, EXIT_FAULT, EXIT_TRAP = range(8)
"""Why the guest was left, or not entered: no VS-file, WFI, a signal, a trapped access to stopei, an
interrupt of the host, the guest sets its timer, a write to a page that is read-only, a trap that
the guest handles itself."""
GUEST_EIE = 0b1111110
"""The identities that guests enable: 1..6, and that of their devices."""
IPI_IID = 2
"""The identity of the IPIs that guests send to each other."""


class VcpuRun(AiaDevice):
    """The life of a vCPU's thread inside KVM_RUN."""

    def vcpu_load(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """vcpu_load, v6.12."""
        yield PREEMPT_DISABLE
        vcpu.loaded = 1
        yield from k.kvm_arch_vcpu_load(current, vcpu)
        yield PREEMPT_ENABLE

    def vcpu_put(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """vcpu_put, v6.12."""
        yield PREEMPT_DISABLE
        yield from k.kvm_arch_vcpu_put(current, vcpu)
        yield STEP
        vcpu.loaded = 0
        yield PREEMPT_ENABLE

    def kvm_arch_vcpu_load(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """kvm_arch_vcpu_load, v6.12 (2.10): vcpu->cpu is set last; imsic_load is empty."""
        yield from k.load_registers(current, vcpu)
        yield STEP
        vcpu.cpu = current.cpu

    @part_of("kvm_arch_vcpu_load")
    def load_registers(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """kvm_arch_vcpu_load, v6.12 (2.10 steps 4-7): of the registers, this is HGATP."""
        yield from k.kvm_riscv_gstage_update_hgatp(vcpu)

    def kvm_arch_vcpu_put(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """kvm_arch_vcpu_put, v6.12 (2.10): vcpu->cpu is cleared first; of what it saves, this is
        hvip."""
        yield STEP
        vcpu.cpu = -1
        yield from k.kvm_riscv_vcpu_aia_put(current, vcpu)
        if (vcpu.hvip ^ vcpu.vssip) & IRQ_VS_SOFT:
            vcpu.hvip ^= IRQ_VS_SOFT

    def kvm_riscv_vcpu_aia_put(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """kvm_riscv_vcpu_aia_put, v6.12: nothing of it touches the HGEI lines."""
        yield from ()

    def kvm_sched_out(k, current: Thread) -> Path[None]:
        """kvm_sched_out, v6.12: the preempt notifier, called with the run queue's lock held."""
        vcpu = k.vcpu_of.get(current)
        if vcpu is not None and vcpu.loaded:
            yield from k.kvm_arch_vcpu_put(current, vcpu)

    def kvm_sched_in(k, current: Thread) -> Path[None]:
        """kvm_sched_in, v6.12: the preempt notifier when the task runs again."""
        vcpu = k.vcpu_of.get(current)
        if vcpu is not None and vcpu.loaded:
            yield from k.kvm_arch_vcpu_load(current, vcpu)

    @outside("driver")
    def put_and_loaded(k, vcpu: Vcpu, cpu: int) -> None:
        """A loaded vCPU is pushed off to a CPU; of both preempt notifiers this is left."""
        vcpu.cpu = cpu

    def kvm_riscv_check_vcpu_requests(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """kvm_riscv_check_vcpu_requests, v6.12 (2.16 step 3)."""
        yield STEP
        requests = vcpu.requests
        if requests:
            vcpu.requests = 0
        if requests & REQ_VCPU_RESET:
            yield PREEMPT_DISABLE
            yield from k.kvm_arch_vcpu_put(current, vcpu)
            yield from k.kvm_riscv_vcpu_aia_imsic_reset(current, vcpu)
            yield from k.reset_vcpu_context(vcpu)
            yield from k.kvm_arch_vcpu_load(current, vcpu)
            yield PREEMPT_ENABLE
        if requests & REQ_UPDATE_HGATP:
            yield from k.kvm_riscv_gstage_update_hgatp(vcpu)
        if requests & REQ_HFENCE:
            yield from k.kvm_riscv_hfence_process(current, vcpu)

    @part_of("kvm_riscv_check_vcpu_requests")
    def reset_vcpu_context(k, vcpu: Vcpu) -> Path[None]:
        """The part of kvm_riscv_reset_vcpu that is about the vCPU's own state, v6.12 (2.16)."""
        yield STEP
        vcpu.booted = vcpu.irqs_pending = vcpu.irqs_pending_mask = 0
        vcpu.hvip = vcpu.vssip = vcpu.hfence = 0
        vcpu.last_exit_cpu = -1

    @part_of("kvm_arch_vcpu_ioctl_run")
    def vcpu_enter_guest(k, current: Thread, vcpu: Vcpu) -> Path[int]:
        """The loop of kvm_arch_vcpu_ioctl_run, v6.12 (2.16), up to the next exit that is handled
        outside of it: EXIT_WFI, EXIT_INTR or FAIL_ENTRY.
        """
        while True:
            yield STEP
            if current.need_resched:
                yield from k.schedule(current)
            yield STEP
            if vcpu.stop:
                return EXIT_INTR
            if k.vmids_run_out:
                yield from k.kvm_riscv_gstage_vmid_update(current, vcpu)
            yield from k.kvm_riscv_check_vcpu_requests(current, vcpu)
            yield PREEMPT_DISABLE
            ret = yield from k.kvm_riscv_vcpu_aia_imsic_update(current, vcpu)
            if ret <= 0:
                yield PREEMPT_ENABLE
                return FAIL_ENTRY
            reason = yield from k.guest_mode(current, vcpu)
            yield PREEMPT_ENABLE
            yield vcpu.vm.srcu.srcu_read_lock
            if vcpu.mmio:
                yield from k.kvm_riscv_vcpu_mmio_store(current, vcpu)
            if reason == EXIT_TOPEI:
                yield from k.guest_traps(current, vcpu)
            elif reason == EXIT_FAULT:
                yield from k.kvm_riscv_mmu_map(current, vcpu)
            elif reason == EXIT_TRAP:
                yield from k.kvm_riscv_vcpu_trap_redirect(current, vcpu)
            elif reason == EXIT_SBI:
                yield from k.kvm_riscv_vcpu_timer_next_event(vcpu)
            elif reason != EXIT_AGAIN:
                return reason

    @part_of("kvm_arch_vcpu_ioctl_run")
    @hands_over("kvm->srcu")
    def guest_mode(k, current: Thread, vcpu: Vcpu) -> Path[int]:
        """The part of the loop with interrupts off, v6.12 (2.16 steps 6-17): between setting the
        mode and looking at the requests nobody can slip through."""
        yield LOCAL_IRQ_DISABLE
        vcpu.mode = IN_GUEST_MODE
        yield vcpu.vm.srcu.srcu_read_unlock
        yield from k.kvm_riscv_vcpu_flush_interrupts(vcpu)
        vcpu.vssip = vcpu.hvip & IRQ_VS_SOFT  # step 10, kvm_riscv_update_hvip: HVIP := hvip
        yield STEP
        renewed = k.kvm_riscv_gstage_vmid_ver_changed(vcpu)
        if renewed or vcpu.requests or current.need_resched or vcpu.stop:
            yield STEP
            vcpu.mode = OUTSIDE_GUEST_MODE
            yield LOCAL_IRQ_ENABLE
            return EXIT_AGAIN
        k.kvm_riscv_gstage_vmid_sanitize(current, vcpu)
        reason = yield from k.kvm_riscv_vcpu_enter_exit(current, vcpu)
        if vcpu.vm.stores or k.vmids_run_out:
            vcpu.last_exit_cpu = vcpu.cpu
        yield STEP
        vcpu.mode = OUTSIDE_GUEST_MODE
        yield from k.kvm_riscv_vcpu_sync_interrupts(vcpu)
        yield LOCAL_IRQ_ENABLE
        return reason

    def kvm_riscv_vcpu_enter_exit(k, current: Thread, vcpu: Vcpu) -> Path[int]:
        """kvm_riscv_vcpu_enter_exit, v6.12 (2.16 step 13), and the guest.

        The guest sets its interrupt file up when it starts, serves what is delivered when it is
        entered, computes, and waits for an interrupt.  First it takes a software interrupt, which
        it clears in vsip itself.  At a tick it sets its timer anew before all else.
        """
        yield vcpu.enter_guest
        if vcpu.vssip:
            vcpu.vssip = 0
            vcpu.ledger.take_soft()
        if vcpu.hvip & IRQ_VS_TIMER:
            current.hart.guest = 0
            return EXIT_SBI
        if not vcpu.vgein and (not vcpu.booted or vcpu.hvip & IRQ_VS_EXT or vcpu.masks):
            current.hart.guest = 0
            return EXIT_TOPEI
        if not vcpu.booted:
            current.hart.set_up(vcpu.vgein, enabled_by(vcpu), vcpu.ledger)
            vcpu.booted = 1
        if vcpu.masks:
            current.hart.disable_identities(vcpu.vgein, vcpu.masks, vcpu.ledger)
            vcpu.masks = 0
        if vcpu.vgein:
            current.hart.serve(vcpu.vgein, vcpu.ledger)
        if vcpu.to_write:
            vcpu.to_write = current.hart.guest = 0
            return EXIT_FAULT
        if vcpu.traps:
            vcpu.traps = current.hart.guest = 0
            return EXIT_TRAP
        if vcpu.to_store:
            yield from k.guest_store(current, vcpu)
        yield vcpu.guest
        reason = EXIT_WFI if current.hart.guest == vcpu.id else EXIT_AGAIN
        current.hart.guest = 0
        return reason

    @outside("guest")
    def guest_store(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """The guest (2.16 step 13) stores to the IMSIC page of another vCPU, unless it was left
        before that.

        Its HART translates: by what it has cached, or by the page table.  The store arrives in the
        same step, since a fence waits for it.
        """
        yield STEP
        target, hart = k.vcpu(vcpu.to_store), current.hart
        if hart.guest == vcpu.id:
            vcpu.to_store = 0
            target.ledger.send(IPI_IID)
            cpu, hgei = target.translations.translate(hart.id, target.pte_cpu, target.pte_hgei)
            if cpu >= 0:
                k.hart[cpu].write_msi(hgei, IPI_IID)
                target.ledger.arrive()
                yield k.sgei[cpu]
            else:
                vcpu.ledger.store_traps(target.id)
                vcpu.mmio, hart.guest = target.id, 0

    @outside("guest")
    def guest_traps(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """The guest's accesses to its interrupt file trap while that is a SW-file (2.13)."""
        yield STEP
        if not vcpu.booted:
            vcpu.booted = 1
            yield from k.kvm_riscv_vcpu_aia_imsic_rmw_setup(current, vcpu, enabled_by(vcpu))
        masks = vcpu.masks
        if masks:
            vcpu.masks = 0
            yield from k.kvm_riscv_vcpu_aia_imsic_rmw_eie(current, vcpu, 0, masks)
        yield from k.kvm_riscv_vcpu_aia_imsic_rmw_topei(current, vcpu)

    def kvm_riscv_vcpu_mmio_store(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """kvm_riscv_vcpu_mmio_store, v6.12: the guest has sent an IPI by a store to an IMSIC page
        without VS-file, which trapped; KVM injects it (kvm_riscv_aia_inject_msi)."""
        target = k.vcpu(vcpu.mmio)
        yield STEP
        vcpu.mmio = 0
        yield from k.kvm_riscv_vcpu_aia_imsic_inject(current, target, IPI_IID)

    def kvm_riscv_vcpu_trap_redirect(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """kvm_riscv_vcpu_trap_redirect, v6.12 (2.16 step 20): preemptible, it writes VSSTATUS,
        VSCAUSE, VSTVAL and VSEPC of the CPU that it is on."""
        yield STEP

    def kvm_vcpu_ioctl_set_one_reg(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """kvm_vcpu_ioctl(KVM_SET_ONE_REG), v6.12: the vCPU is in no KVM_RUN, and is not loaded."""
        yield vcpu.mutex.lock
        yield from k.kvm_riscv_vcpu_set_reg_csr(vcpu)
        yield vcpu.mutex.unlock

    def kvm_riscv_vcpu_set_reg_csr(k, vcpu: Vcpu) -> Path[None]:
        """kvm_riscv_vcpu_set_reg_csr, v6.12: the register is changed in memory."""
        yield STEP

    @part_of("kvm_arch_vcpu_ioctl_run")
    @hands_over("vcpu->mutex", "kvm->srcu")
    def kvm_vcpu_ioctl_begin(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """kvm_vcpu_ioctl(KVM_RUN), v6.12, before the loop."""
        yield vcpu.mutex.lock
        yield vcpu.vm.srcu.srcu_read_lock
        yield from k.vcpu_load(current, vcpu)

    @part_of("kvm_arch_vcpu_ioctl_run")
    @hands_over("vcpu->mutex", "kvm->srcu")
    def kvm_vcpu_ioctl_end(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """kvm_vcpu_ioctl(KVM_RUN), v6.12, after the loop."""
        yield from k.vcpu_put(current, vcpu)
        yield vcpu.vm.srcu.srcu_read_unlock
        yield vcpu.mutex.unlock


def enabled_by(vcpu: Vcpu) -> int:
    """The identities that the guest of a vCPU enables when it starts."""
    return GUEST_EIE | bit(vcpu.identity) & ~1


def pending_in_vsfile(k: VcpuRun, vcpu: Vcpu) -> bool:
    """Whether the VS-file of a vCPU, wherever it is, has something to deliver."""
    return vcpu.vsfile_cpu >= 0 and bool(k.hart[vcpu.vsfile_cpu].hgeip & bit(vcpu.vsfile_hgei))
