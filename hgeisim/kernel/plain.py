"""Which fields C accesses plainly: with neither READ_ONCE nor WRITE_ONCE nor an atomic operation.

All others are atomic, accessed by READ_ONCE and WRITE_ONCE everywhere, registers, or no variables
of the kernel.  A field that a patch adds is plain.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from hgeisim.kernel.structs import Globals, HgeiControl, Vcpu
from hgeisim.machine.shared import Shared, addresses


class Plain(NamedTuple):
    """Fields of a struct, and the functions that access them marked all the same: what they share
    with kvm_main.c, which says READ_ONCE or cmpxchg there."""

    struct: type[Shared]
    fields: tuple[str, ...]
    marked: tuple[str, ...] = ()


KICKS = ("kvm_vcpu_kick", "kvm_make_vcpus_request_mask")
PLAIN = (
    Plain(HgeiControl, ("free_bitmap", "nr_hgei", "free_bitmap_initialized", "owners")),
    Plain(Globals, ("hgei_parent_irq", "kvm_riscv_aia_nr_hgei")),
    Plain(Vcpu, ("vsfile_cpu", "vsfile_hgei", "vgein")),
    Plain(Vcpu, ("cpu", "mode"), KICKS),
)


def plain_cells(k: Any) -> Iterator[tuple[int, str, tuple[str, ...]]]:
    """Each cell that is accessed plainly, with the name of its field and where it is marked."""
    vcpus = (vcpu for vcpu in k.vcpus if vcpu is not None)
    for struct in (*k.hgei, k.globals, *vcpus):
        for plain in _of(struct):
            for field in plain.fields:
                for address in addresses(struct, field):
                    yield address, field, plain.marked


def _of(struct: Shared) -> Iterator[Plain]:
    """The entries for a struct, and one for what patches have added to it."""
    for plain in PLAIN:
        if isinstance(struct, plain.struct):
            yield plain
    kind = next(plain.struct for plain in PLAIN if isinstance(struct, plain.struct))
    added = (*type(struct).fields, *type(struct).arrays)
    declared = {*kind.fields, *kind.arrays}
    yield Plain(kind, tuple(field for field in added if field not in declared))
