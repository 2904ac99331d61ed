"""Patches after which a vCPU takes no interrupt any more, though none is lost and nobody sleeps."""

from hgeisim.kernel.kvm_main import HALT_POLL
from hgeisim.kernel.structs import IRQ_VS_EXT, REQ_HFENCE
from hgeisim.kernel.variants.percpu_v5 import PercpuV5
from hgeisim.machine.atomics import READ_ONCE
from hgeisim.machine.ops import STEP


class SecondNotFlushed(PercpuV5):
    """VSEIP is cleared in hvip and not in irqs_pending, and is flushed only where it becomes
    pending: the guest never sees the second interrupt of its SW-file."""

    def kvm_riscv_vcpu_set_interrupt(k, current, vcpu, irq=IRQ_VS_EXT):
        yield STEP
        if not vcpu.irqs_pending & irq:
            yield from super().kvm_riscv_vcpu_set_interrupt(current, vcpu, irq)

    def kvm_riscv_vcpu_unset_interrupt(k, vcpu, irq=IRQ_VS_EXT):
        yield STEP
        vcpu.hvip &= ~irq


class RequestKept(PercpuV5):
    """A vCPU on its SW-file sees no reason to handle a fence, and so keeps its request."""

    def kvm_riscv_check_vcpu_requests(k, current, vcpu):
        yield STEP
        if vcpu.requests != REQ_HFENCE or READ_ONCE(vcpu.vsfile_cpu) >= 0:
            yield from super().kvm_riscv_check_vcpu_requests(current, vcpu)


class PollsSwFileOnly(PercpuV5):
    """Who polls before it sleeps looks at irqs_pending only, and does not give up."""

    def halt_poll(k, current, vcpu, start_ns):
        while not (vcpu.irqs_pending or vcpu.stop):
            yield HALT_POLL
        return 1
