"""virt/kvm/kvm_main.c of v6.12: kicks and requests, which reach a vCPU wherever it is (2.18)."""

from __future__ import annotations

from hgeisim.kernel.sched import Sched
from hgeisim.kernel.structs import (
    EXITING_GUEST_MODE,
    IN_GUEST_MODE,
    OUTSIDE_GUEST_MODE,
    Caller,
    Vcpu,
    Vm,
)
from hgeisim.machine.ipi import Ipi
from hgeisim.machine.kernel_name import in_c
from hgeisim.machine.ops import (
    LOCAL_IRQ_DISABLE,
    LOCAL_IRQ_ENABLE,
    PREEMPT_DISABLE,
    PREEMPT_ENABLE,
    STEP,
    Path,
)
from hgeisim.machine.task import Runner


class Request(Sched):
    """kvm_vcpu_kick, and kvm_make_vcpus_request_mask."""

    def kvm_vcpu_kick(k, current: Runner, vcpu: Vcpu) -> Path[None]:
        """kvm_vcpu_kick, v6.12 (2.18): wake the vCPU up or make its guest exit.

        The wake-up is rcuwait_wake_up: without a waiter nothing happens.
        """
        yield STEP
        woken = 0
        if vcpu.wait.waiter:
            woken = yield from k.try_to_wake_up(vcpu.thread)
        if not woken:
            yield PREEMPT_DISABLE
            yield STEP
            if vcpu.mode == IN_GUEST_MODE:
                vcpu.mode = EXITING_GUEST_MODE
                yield STEP
                cpu = vcpu.cpu
                if cpu not in (-1, current.cpu):
                    yield k.reschedule[cpu]
            yield PREEMPT_ENABLE

    def kvm_make_vcpus_request_mask(k, current: Runner, vm: Vm, request: int) -> Path[None]:
        """kvm_make_vcpus_request_mask, v6.12, for all vCPUs, with KVM_REQUEST_WAIT and
        KVM_REQUEST_NO_WAKEUP: wait for each guest that runs now to have exited."""
        yield PREEMPT_DISABLE
        i = 0
        while i < len(vm.vcpus):
            vcpu = vm.vcpus[i]
            yield STEP
            vcpu.requests |= request
            yield STEP
            mode = vcpu.mode
            if mode == IN_GUEST_MODE:
                vcpu.mode = EXITING_GUEST_MODE
            if mode != OUTSIDE_GUEST_MODE:
                yield STEP
                cpu = vcpu.cpu
                if cpu not in (-1, current.cpu):
                    current.ipi_mask |= 1 << cpu
            i += 1
        yield STEP
        if current.ipi_mask:
            yield k.ack_kick
        yield PREEMPT_ENABLE

    def on_each_cpu_mask(k, current: Caller, mask: int, ipi: Ipi) -> Path[None]:
        """on_each_cpu_mask with wait, v6.12: a call with interrupts off on this CPU, if meant,
        and IPIs to the others (v6.12 sends them before the call and waits after it)."""
        yield PREEMPT_DISABLE
        me = 1 << current.cpu
        if mask & me:
            yield LOCAL_IRQ_DISABLE
            yield from ipi.handler(current, current)
            yield LOCAL_IRQ_ENABLE
        if mask & ~me:
            yield STEP
            current.ipi_mask = mask & ~me
            yield ipi
        yield PREEMPT_ENABLE

    @in_c("ack_kick")
    def ack_flush(k, current: Runner, sender: Runner) -> Path[None]:
        """ack_kick, v6.12: an IPI handler that does nothing but arrive."""
        yield STEP
