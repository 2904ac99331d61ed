"""virt/kvm/kvm_main.c and arch/riscv/kvm/vcpu.c of v6.12, as far as the HGEI lines need them."""

from __future__ import annotations

from hgeisim.kernel.imsic import Imsic
from hgeisim.kernel.state import IN_GUEST_MODE, OUTSIDE_GUEST_MODE, Thread, Vcpu
from hgeisim.machine.hart import bit
from hgeisim.machine.ops import (
    LOCAL_IRQ_RESTORE,
    LOCAL_IRQ_SAVE,
    PREEMPT_DISABLE,
    PREEMPT_ENABLE,
    SCHEDULE,
    STEP,
    Path,
)


class Kvm(Imsic):
    """Enabling and disabling of a CPU, and the life of a vCPU."""

    def kvm_online_cpu(k, current: Thread) -> Path[None]:
        """kvm_online_cpu, v6.12: the cpuhp callback of CPUHP_AP_KVM_ONLINE, on its CPU."""
        yield from k.kvm_riscv_aia_enable(current)
        yield STEP
        k.per_cpu[current.cpu].virtualization_enabled = 1

    def kvm_offline_cpu(k, current: Thread) -> Path[None]:
        """kvm_offline_cpu, v6.12: the same way back."""
        yield from k.kvm_riscv_aia_disable(current)
        yield STEP
        k.per_cpu[current.cpu].virtualization_enabled = 0

    def kvm_arch_vcpu_ioctl_run(k, current: Thread, vcpu: Vcpu) -> Path[int]:
        """kvm_arch_vcpu_ioctl_run, v6.12 (2.16): until the guest waits for an interrupt.

        Returns 0 when an entry failed.  The guest serves what is pending when it is entered.
        """
        while True:
            yield STEP
            vcpu.requests = 0
            yield PREEMPT_DISABLE
            entered = yield from k.kvm_riscv_vcpu_aia_imsic_update(current, vcpu)
            if not entered:
                yield PREEMPT_ENABLE
                return 0
            yield LOCAL_IRQ_SAVE
            vcpu.mode = IN_GUEST_MODE
            yield STEP
            waits = 0
            if not vcpu.requests:
                waits = yield from k.kvm_riscv_vcpu_enter_exit(current, vcpu)
            vcpu.mode = OUTSIDE_GUEST_MODE
            yield LOCAL_IRQ_RESTORE
            yield PREEMPT_ENABLE
            if waits:
                return 1

    def kvm_riscv_vcpu_enter_exit(k, current: Thread, vcpu: Vcpu) -> Path[int]:
        """kvm_riscv_vcpu_enter_exit, v6.12 (2.16 step 13), and the guest.

        Returns 1 when the guest waits for an interrupt, 0 when an interrupt made it exit.
        """
        yield vcpu.enter_guest
        if vcpu.vgein:
            current.hart.hgeip &= ~bit(vcpu.vgein)
        else:
            vcpu.sw_pending = 0
        yield vcpu.guest
        waits = 1 if current.hart.guest == vcpu.id else 0
        current.hart.guest = 0
        return waits

    def kvm_vcpu_check_block(k, current: Thread, vcpu: Vcpu) -> Path[int]:
        """kvm_vcpu_check_block, v6.12: a reason not to sleep."""
        if vcpu.sw_pending:
            return 1
        pending = yield from k.kvm_riscv_vcpu_aia_has_interrupts(current, vcpu)
        if pending:
            return 1
        yield STEP
        return vcpu.stop

    def kvm_vcpu_block(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """kvm_vcpu_block, v6.12 (2.17), without halt polling: WFI until an interrupt comes."""
        yield PREEMPT_DISABLE
        yield from k.kvm_arch_vcpu_blocking(current, vcpu)
        yield STEP
        vcpu.wait.waiter = 1
        yield PREEMPT_ENABLE
        while True:
            vcpu.wait.woken = 0
            yield STEP
            reason = yield from k.kvm_vcpu_check_block(current, vcpu)
            if reason:
                break
            yield from k.kvm_sched_out(current, vcpu)
            yield vcpu.wait.schedule
        yield PREEMPT_DISABLE
        vcpu.wait.waiter = vcpu.wait.woken = 0
        yield from k.kvm_arch_vcpu_unblocking(current, vcpu)
        yield PREEMPT_ENABLE

    def kvm_arch_vcpu_blocking(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """kvm_arch_vcpu_blocking, v6.12: arms the SGEI of the vCPU's line."""
        yield from k.kvm_riscv_aia_wakeon_hgei(current, vcpu, 1)

    def kvm_arch_vcpu_unblocking(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """kvm_arch_vcpu_unblocking, v6.12: disarms it."""
        yield from k.kvm_riscv_aia_wakeon_hgei(current, vcpu, 0)

    def kvm_sched_out(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """kvm_sched_out, v6.12: nothing of it touches the HGEI lines."""
        yield from ()

    def kvm_vcpu_kick(k, vcpu: Vcpu) -> Path[None]:
        """kvm_vcpu_kick, v6.12 (2.18), only its wake-up."""
        yield vcpu.wait.wake_up

    def vcpu_thread(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """The monitor's thread of a vCPU: runs the guest, waits in WFI, until it is stopped.

        A failed entry goes back to the monitor, which tries again when it is scheduled again.
        """
        while not vcpu.stop:
            entered = yield from k.kvm_arch_vcpu_ioctl_run(current, vcpu)
            if entered:
                yield from k.kvm_vcpu_block(current, vcpu)
            yield SCHEDULE
