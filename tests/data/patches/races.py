"""Patches that count the lines they hand out, with and without what makes that safe."""

from __future__ import annotations

from hgeisim.kernel import structs
from hgeisim.kernel.aia import Aia
from hgeisim.kernel.structs import Vcpu
from hgeisim.machine.atomics import READ_ONCE, WRITE_ONCE, atomic_inc
from hgeisim.machine.ops import STEP, Path
from hgeisim.machine.shared import Field


class Counts(Aia):
    """With no lock: the sum is wrong when two CPUs do it at once."""

    class Globals(structs.Globals):
        """And how many lines were handed out."""

        allocated: Field

    def kvm_riscv_aia_alloc_hgei(k, cpu: int, owner: Vcpu) -> Path[int]:
        """And count."""
        ret = yield from super().kvm_riscv_aia_alloc_hgei(cpu, owner)
        yield from k.count()
        return ret

    def count(k) -> Path[None]:
        """Count one more."""
        yield STEP
        k.globals.allocated = k.globals.allocated + 1


class CountsAtomically(Counts):
    """An atomic_t."""

    def count(k) -> Path[None]:
        """atomic_inc."""
        yield STEP
        atomic_inc(k.globals, "allocated")


class CountsMarked(Counts):
    """The sum may be wrong all the same, but there is no data race."""

    def count(k) -> Path[None]:
        """READ_ONCE, WRITE_ONCE."""
        yield STEP
        allocated = READ_ONCE(k.globals.allocated)
        yield STEP
        WRITE_ONCE(k.globals, "allocated", allocated + 1)


class CountsLocked(Counts):
    """Under a lock that all take."""

    def count(k) -> Path[None]:
        """With sgei_desc_lock, for want of another one."""
        yield k.sgei_desc_lock.lock_irqsave
        allocated = k.globals.allocated
        yield STEP
        k.globals.allocated = allocated + 1
        yield k.sgei_desc_lock.unlock_irqrestore


class CountsUnderItsOwn(Counts):
    """Under a lock of each CPU: two CPUs take two locks."""

    def kvm_riscv_aia_alloc_hgei(k, cpu: int, owner: Vcpu) -> Path[int]:
        """And count, with this CPU's lock."""
        ret = yield from Aia.kvm_riscv_aia_alloc_hgei(k, cpu, owner)
        yield k.hgei[cpu].lock.lock_irqsave
        k.globals.allocated = k.globals.allocated + 1
        yield k.hgei[cpu].lock.unlock_irqrestore
        return ret


class LooksMarked(Counts):
    """A plain write against a marked read, which KCSAN does not report by default."""

    def count(k) -> Path[None]:
        """READ_ONCE, and a plain write."""
        yield STEP
        allocated = READ_ONCE(k.globals.allocated)
        yield STEP
        k.globals.allocated = allocated * 0 + 1
