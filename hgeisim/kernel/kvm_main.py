"""virt/kvm/kvm_main.c of v6.12: a vCPU that waits for an interrupt (2.17)."""

from __future__ import annotations

from hgeisim.kernel.structs import Thread, Vcpu
from hgeisim.kernel.vcpu import EXIT_WFI, FAIL_ENTRY, VcpuRun
from hgeisim.machine.kernel_name import in_c, outside, part_of
from hgeisim.machine.ops import PREEMPT_DISABLE, PREEMPT_ENABLE, STEP, Path, Spend
from hgeisim.machine.schedule import TASK_INTERRUPTIBLE, TASK_RUNNING

HALT_POLL = Spend("halt_poll")
HALT_POLL_NS_GROW_START = 10_000
"""halt_poll_ns_grow_start, in ns; halt_poll_ns_grow and halt_poll_ns_shrink are 2 (v6.12)."""


class Block(VcpuRun):
    """kvm_vcpu_halt and what it is made of."""

    def kvm_arch_vcpu_ioctl_run(k, current: Thread, vcpu: Vcpu) -> Path[int]:
        """kvm_arch_vcpu_ioctl_run, v6.12 (2.16), whole: guest, WFI, guest, until it goes back to
        the monitor.  Returns EXIT_INTR or FAIL_ENTRY."""
        yield from k.kvm_vcpu_ioctl_begin(current, vcpu)
        reason = EXIT_WFI
        while reason == EXIT_WFI:
            reason = yield from k.vcpu_enter_guest(current, vcpu)
            if reason == EXIT_WFI:
                yield from k.kvm_riscv_vcpu_wfi(current, vcpu)
        yield from k.kvm_vcpu_ioctl_end(current, vcpu)
        return reason

    def kvm_riscv_vcpu_wfi(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """kvm_riscv_vcpu_wfi, v6.12: whoever waits for SRCU readers need not wait for a sleeper."""
        yield vcpu.vm.srcu.srcu_read_unlock
        yield from k.kvm_vcpu_halt(current, vcpu)
        yield vcpu.vm.srcu.srcu_read_lock

    def kvm_vcpu_halt(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """kvm_vcpu_halt, v6.12 (2.17): polls for a while if that paid lately, then blocks.

        Without polling (module parameter halt_poll_ns=0) it just blocks.
        """
        if not k.halt_poll_ns_max:
            yield from k.kvm_vcpu_block(current, vcpu)
            return
        yield STEP
        start_ns = k.ktime_get()
        polled = yield from k.halt_poll(current, vcpu, start_ns)
        if not polled:
            yield from k.kvm_vcpu_block(current, vcpu)
        yield STEP
        k.adjust_halt_poll_ns(vcpu, k.ktime_get() - start_ns)

    @part_of("kvm_vcpu_halt")
    def halt_poll(k, current: Thread, vcpu: Vcpu, start_ns: int) -> Path[int]:
        """The polling loop of kvm_vcpu_halt, v6.12: returns 1 when there is a reason not to block.

        It stops when somebody else wants the HART (single_task_running).
        """
        stop_ns = start_ns + vcpu.halt_poll_ns
        while k.ktime_get() < stop_ns and k.rq[current.cpu].nr_running <= 1:
            reason = yield from k.kvm_vcpu_check_block(current, vcpu)
            if reason:
                return 1
            yield HALT_POLL
        return 0

    @part_of("kvm_vcpu_halt")
    def adjust_halt_poll_ns(k, vcpu: Vcpu, halt_ns: int) -> None:
        """grow_halt_poll_ns and shrink_halt_poll_ns, v6.12: twice as long after a short wait that
        was not polled through, half as long after a long one."""
        if halt_ns <= vcpu.halt_poll_ns:
            return
        if halt_ns > k.halt_poll_ns_max:
            half_ns = vcpu.halt_poll_ns // 2
            vcpu.halt_poll_ns = half_ns if half_ns >= HALT_POLL_NS_GROW_START else 0
        elif halt_ns < k.halt_poll_ns_max:
            grown_ns = max(2 * vcpu.halt_poll_ns, HALT_POLL_NS_GROW_START)
            vcpu.halt_poll_ns = min(grown_ns, k.halt_poll_ns_max)

    def kvm_vcpu_check_block(k, current: Thread, vcpu: Vcpu) -> Path[int]:
        """kvm_vcpu_check_block, v6.12: a reason not to sleep."""
        pending = yield from k.any_pending(vcpu)
        if pending:
            return 1
        pending = yield from k.kvm_riscv_vcpu_aia_has_interrupts(current, vcpu)
        if pending:
            return 1
        yield STEP
        return vcpu.stop

    @in_c("kvm_riscv_vcpu_has_interrupts")
    def any_pending(k, vcpu: Vcpu) -> Path[int]:
        """kvm_riscv_vcpu_has_interrupts, v6.12 (2.11), but for AIA: bits of irqs_pending."""
        yield STEP
        return vcpu.irqs_pending

    def kvm_vcpu_block(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """kvm_vcpu_block, v6.12 (2.17): WFI until an interrupt comes.

        It may be preempted with its state already TASK_INTERRUPTIBLE, and moved, before it sleeps.
        """
        yield PREEMPT_DISABLE
        yield from k.kvm_arch_vcpu_blocking(current, vcpu)
        yield STEP
        vcpu.wait.waiter = 1
        yield PREEMPT_ENABLE
        while True:
            yield STEP
            current.state = TASK_INTERRUPTIBLE
            reason = yield from k.kvm_vcpu_check_block(current, vcpu)
            if reason:
                break
            yield from k.schedule(current)
        yield PREEMPT_DISABLE
        vcpu.wait.waiter = 0
        current.state = TASK_RUNNING
        yield from k.kvm_arch_vcpu_unblocking(current, vcpu)
        yield PREEMPT_ENABLE

    def kvm_arch_vcpu_blocking(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """kvm_arch_vcpu_blocking, v6.12: arms the SGEI of the vCPU's line."""
        yield from k.kvm_riscv_aia_wakeon_hgei(current, vcpu, 1)

    def kvm_arch_vcpu_unblocking(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """kvm_arch_vcpu_unblocking, v6.12: disarms it."""
        yield from k.kvm_riscv_aia_wakeon_hgei(current, vcpu, 0)

    @outside("monitor")
    def vcpu_thread(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """The monitor's thread of a vCPU: KVM_RUN again and again, until it is stopped.

        After a failed entry it lets others run, and tries again (sched_yield).
        """
        while not vcpu.stop:
            reason = yield from k.kvm_arch_vcpu_ioctl_run(current, vcpu)
            if reason == FAIL_ENTRY:
                yield from k.schedule(current)
