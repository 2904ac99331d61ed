"""B-05: AIA is asked with irqs_pending_lock held, as v3 of the fix of B-04 had it."""

from __future__ import annotations

from typing import Any

from hgeisim.kernel.structs import Thread
from hgeisim.kernel.variants.irqs_pending_lock import IrqsPendingLock
from hgeisim.machine.kernel_name import in_c
from hgeisim.machine.ops import STEP, Path


class B05(IrqsPendingLock):
    """kvm_riscv_vcpu_has_interrupts keeps the lock over all that it asks; found in review.

    An injection into the SW-file takes vsfile_lock first, and irqs_pending_lock inside of it.
    """

    def kvm_vcpu_check_block(k, current: Thread, vcpu: Any) -> Path[int]:
        """kvm_vcpu_check_block, v7.2: one call asks for all."""
        pending = yield from k.any_pending(vcpu)
        if pending:
            return 1
        yield STEP
        stop: int = vcpu.stop
        return stop

    @in_c("kvm_riscv_vcpu_has_interrupts")
    def any_pending(k, vcpu: Any) -> Path[int]:
        """kvm_riscv_vcpu_has_interrupts in v3 of the fix (2.11): AIA is asked under the lock."""
        yield vcpu.irqs_pending_lock.lock_irqsave
        pending: int = vcpu.irqs_pending
        if not pending:
            pending = yield from k.kvm_riscv_vcpu_aia_has_interrupts(vcpu.thread, vcpu)
        yield vcpu.irqs_pending_lock.unlock_irqrestore
        return pending
