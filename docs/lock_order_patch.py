"""A patch that looks like a simplification: kvm_riscv_aia_disable keeps the lock in its loop."""

from hgeisim.kernel.aia import Aia
from hgeisim.kernel.structs import Caller
from hgeisim.machine.ops import PREEMPT_DISABLE, PREEMPT_ENABLE, STEP, Path


class KeepLock(Aia):
    """No drop and retake of hgctrl->lock around each owner."""

    def kvm_riscv_aia_disable(k, current: Caller) -> Path[None]:
        """kvm_riscv_aia_disable with the patch."""
        yield PREEMPT_DISABLE
        hgctrl = k.hgei[current.cpu]
        yield from k.disable_sgei(current)
        yield hgctrl.lock.lock_irqsave
        i = 0
        while i <= k.nr_hgei(hgctrl):
            yield STEP
            owner = hgctrl.owners[i]
            if owner:
                yield from k.take_line_away(current, k.vcpu(owner), i)
            i += 1
            yield STEP
        yield hgctrl.lock.unlock_irqrestore
        yield PREEMPT_ENABLE
