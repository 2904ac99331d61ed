"""How C accesses the fields of its structs: with which lock held, and which of them plainly.

`GUARDED_BY` says which lock guards which fields, as `__guarded_by` does in C.  A context that reads
such a field holds the lock, and one that writes it holds it alone.  The lock is not needed for a
read by READ_ONCE or test_bit, nor while nobody else can reach the struct (`is_reachable`).  A page
table is read by HARTs, too, which take no lock: there the lock is for writes.

`PLAIN` lists the fields that C accesses with neither READ_ONCE nor WRITE_ONCE nor an atomic
operation.  All others are atomic, accessed by READ_ONCE and WRITE_ONCE everywhere, registers, or
not variables of the kernel.  A field that a patch adds is plain.
"""

from __future__ import annotations

from operator import attrgetter
from typing import Any, NamedTuple

from hgeisim.kernel.structs import Globals, HgeiControl, Vcpu
from hgeisim.machine.shared import Shared


class Guard(NamedTuple):
    """Fields of a struct, what they are together, and the path from the struct to their lock.

    `words`: each is also accessed whole, by atomic operations, without the lock.  What becomes of
    them together is for other checks.  `written`: only who writes them needs the lock.  `without`
    lists functions of C that access them without it.
    """

    data: str
    struct: type[Shared]
    fields: tuple[str, ...]
    lock: str
    words: bool = False
    written: bool = False
    without: tuple[str, ...] = ()

    def lock_of(self, struct: Shared) -> Any:
        """The lock of the fields of a struct; raises `AttributeError` where it has none."""
        return attrgetter(self.lock)(struct)


GUARDED_BY = (
    Guard("vsfile", Vcpu, ("vsfile_cpu", "vsfile_hgei"), "vsfile_lock"),
    Guard("free_bitmap", HgeiControl, ("free_bitmap",), "lock"),
    Guard("owners", HgeiControl, ("owners",), "lock"),
    Guard(
        "irqs_pending", Vcpu, ("irqs_pending", "irqs_pending_mask"), "irqs_pending_lock", words=True
    ),
    Guard("page", Vcpu, ("pte_cpu", "pte_hgei"), "vm.mmu_lock", written=True),
    Guard("hfence", Vcpu, ("hfence",), "hfence_lock", without=("kvm_riscv_check_vcpu_requests",)),
)


def guards_of(struct: Shared) -> tuple[Guard, ...]:
    """The guards of a struct; a kernel that lacks a lock needs none."""
    return tuple(
        guard
        for guard in GUARDED_BY
        if isinstance(struct, guard.struct) and _has_lock(guard, struct)
    )


def _has_lock(guard: Guard, struct: Shared) -> bool:
    try:
        return guard.lock_of(struct) is not None
    except AttributeError:
        return False


def is_reachable(k: Any, struct: Shared) -> bool:
    """Whether others than the present context can come to a struct.

    To the control block of a CPU come those who run guests there, and those who own a line of it.
    """
    if not isinstance(struct, HgeiControl):
        return True
    here = k.per_cpu[struct.cpu].virtualization_enabled or k.globals.kvm_rebooting
    return bool(here or len(struct.owners) > struct.owners.count(0))


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
