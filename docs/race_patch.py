"""A fast path for kvm_riscv_aia_alloc_hgei: who finds no free line need not take the lock.

docs/race.md goes on from here.
"""

from __future__ import annotations

from hgeisim.kernel.aia import Aia
from hgeisim.kernel.structs import ENOENT, Vcpu
from hgeisim.machine.atomics import READ_ONCE
from hgeisim.machine.hart import bit, find_first_bit
from hgeisim.machine.ops import STEP, Path


class FastPath(Aia):
    """Version 1: looks at free_bitmap, and takes the lock only where there is a line."""

    def kvm_riscv_aia_alloc_hgei(k, cpu: int, owner: Vcpu) -> Path[int]:
        """kvm_riscv_aia_alloc_hgei with the patch."""
        hgctrl = k.hgei[cpu]
        yield STEP
        free_bitmap = hgctrl.free_bitmap
        if not free_bitmap:
            return -ENOENT
        yield hgctrl.lock.lock_irqsave
        ret = find_first_bit(free_bitmap)
        hgctrl.free_bitmap = free_bitmap & ~bit(ret)
        yield STEP
        hgctrl.owners[ret] = owner.id
        yield hgctrl.lock.unlock_irqrestore
        return ret


class FastPathV2(Aia):
    """Version 2: the look is marked, and with the lock held it looks again."""

    def kvm_riscv_aia_alloc_hgei(k, cpu: int, owner: Vcpu) -> Path[int]:
        """kvm_riscv_aia_alloc_hgei with the patch."""
        hgctrl = k.hgei[cpu]
        yield STEP
        if not READ_ONCE(hgctrl.free_bitmap):
            return -ENOENT
        ret = yield from super().kvm_riscv_aia_alloc_hgei(cpu, owner)
        return ret
