"""Which fields C accesses plainly: with neither READ_ONCE nor WRITE_ONCE nor an atomic operation.

All others are atomic, accessed by READ_ONCE and WRITE_ONCE everywhere, registers, or no variables
of the kernel.  A field that a patch adds is plain.
"""

from __future__ import annotations

from typing import NamedTuple

from hgeisim.kernel.structs import Globals, HgeiControl, Vcpu
from hgeisim.machine.shared import Shared


class Plain(NamedTuple):
    """Fields of a struct, and the functions that access them marked all the same: what they share
    with kvm_main.c, which says READ_ONCE or cmpxchg there."""

    struct: type[Shared]
    fields: tuple[str, ...]
    marked: tuple[str, ...] = ()


KICKS = ("kvm_vcpu_kick", "kvm_make_vcpus_request_mask")
PLAIN = (
    Plain(HgeiControl, ("free_bitmap", "nr_hgei", "free_bitmap_initialized", "owners")),
    Plain(Globals, ("kvm_riscv_aia_nr_hgei",)),
    Plain(Vcpu, ("vsfile_cpu", "vsfile_hgei", "vgein")),
    Plain(Vcpu, ("cpu", "mode"), KICKS),
)
