"""A SW-file's words are read and written whole, by compare and exchange (v7.3)."""

from __future__ import annotations

from hgeisim.kernel.aia_imsic import Imsic
from hgeisim.machine.interrupt_file import InterruptFile
from hgeisim.machine.ops import STEP, Path


class Mrif64(Imsic):
    """Identities above 31 are enabled, disabled and read like the others (fixes bug B-27)."""

    def imsic_mrif_atomic_rmw(
        k, mrif: InterruptFile, register: str, new_val: int, wr_mask: int
    ) -> Path[int]:
        """imsic_mrif_atomic_rmw, v7.3 (2.13): 64 bits; the exchange that succeeds is the step."""
        yield STEP
        old_val = int(getattr(mrif, register))
        setattr(mrif, register, old_val & ~wr_mask | new_val & wr_mask)
        return old_val
