"""A policy of handing out HGEI lines: a vCPU that goes to sleep gives its line back."""

from hgeisim.patch import Aia, Path, Thread, Vcpu


class ReleaseOnBlock(Aia):
    """A sleeper looks at its SW-file: MSIs wake it by a kick, and it asks for a line when it enters
    its guest again.  It costs an update at each sleep, and saves the line meanwhile."""

    def kvm_arch_vcpu_blocking(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """kvm_arch_vcpu_blocking with the policy, before the vCPU becomes the waiter."""
        yield from super().kvm_arch_vcpu_blocking(current, vcpu)
        yield from k.kvm_riscv_vcpu_aia_imsic_release(current, vcpu)
