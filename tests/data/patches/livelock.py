"""Patches of which two contexts go round for each other, and a sound one that looks like it."""

from hgeisim.kernel.variants.percpu_v5 import PercpuV5
from hgeisim.machine.ops import STEP


class WakesSiblings(PercpuV5):
    """A vCPU with nothing to do wakes the others of its VM before it sleeps, and so do they."""

    def kvm_vcpu_check_block(k, current, vcpu):
        reason = yield from super().kvm_vcpu_check_block(current, vcpu)
        i = 0
        while not reason and i < len(vcpu.vm.vcpus):
            if vcpu.vm.vcpus[i] is not vcpu:
                yield from k.kvm_vcpu_kick(current, vcpu.vm.vcpus[i])
            i += 1
        return reason


class WakesOnce(PercpuV5):
    """It does so once: `booted` is 2 then."""

    def kvm_vcpu_check_block(k, current, vcpu):
        reason = yield from super().kvm_vcpu_check_block(current, vcpu)
        i = 0
        while not reason and vcpu.booted < 2 and i < len(vcpu.vm.vcpus):
            if vcpu.vm.vcpus[i] is not vcpu:
                yield from k.kvm_vcpu_kick(current, vcpu.vm.vcpus[i])
            i += 1
        yield STEP
        vcpu.booted = 2
        return reason
