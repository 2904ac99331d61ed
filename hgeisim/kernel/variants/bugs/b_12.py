"""B-12 again: as many guest files are assumed as the address layout has room for (before v7.0)."""

from __future__ import annotations

from hgeisim.kernel.aia import Aia
from hgeisim.machine.hart import bit


class B12(Aia):
    """Without 376e2f8cca28, which counts the files that are there."""

    def guest_files_max(k) -> int:
        """BIT(gc->guest_index_bits) - 1."""
        return bit(k.topology.guest_index_bits) - 1
