"""Patches that are compared with their base; the docstrings say what comes of it."""

from hgeisim.kernel.aia import Aia
from hgeisim.kernel.aia_imsic import Imsic, ImsicDevice
from hgeisim.machine.atomics import READ_ONCE
from hgeisim.machine.ops import STEP


class Nothing(Aia):
    """The line stays with the vCPU: an interrupt is left behind in fewer switches."""

    def take_line_away(k, current, vcpu, hgei):
        yield STEP


class NoArm(Imsic):
    """HGEIE is never set: a wake-up is lost, also where no HART goes offline."""

    def kvm_riscv_vcpu_aia_put(k, current, vcpu):
        yield STEP


class LooksAgain(Aia):
    """Shows what the base shows, in as many switches or more."""

    def take_line_away(k, current, vcpu, hgei):
        yield STEP
        if READ_ONCE(vcpu.vsfile_cpu) == current.cpu:
            yield from super().take_line_away(current, vcpu, hgei)


class InTwo(ImsicDevice):
    """Changes what few scenarios call."""

    def kvm_riscv_aia_imsic_rw_attr(k, current, vcpu):
        yield STEP
        yield from k.access(current, vcpu)

    def access(k, current, vcpu):
        yield from super().kvm_riscv_aia_imsic_rw_attr(current, vcpu)
