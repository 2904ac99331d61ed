"""Which lock guards which fields, as `__guarded_by` says it in C.

Whoever reads such a field holds the lock, and whoever writes it holds it alone.  Not held is it for
a read by READ_ONCE or test_bit, and where nobody else can come to the struct yet.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from hgeisim.kernel.structs import HgeiControl, Vcpu
from hgeisim.machine.shared import Shared


class Guard(NamedTuple):
    """Fields of a struct, what they are together, and the lock of the same struct."""

    data: str
    struct: type[Shared]
    fields: tuple[str, ...]
    lock: str


GUARDED_BY = (
    Guard("vsfile", Vcpu, ("vsfile_cpu", "vsfile_hgei"), "vsfile_lock"),
    Guard("free_bitmap", HgeiControl, ("free_bitmap",), "lock"),
    Guard("owners", HgeiControl, ("owners",), "lock"),
)


def is_reachable(k: Any, struct: Shared) -> bool:
    """Whether others than the present context can come to a struct.

    To the control block of a CPU come those who run guests there, and those who own a line of it.
    """
    if not isinstance(struct, HgeiControl):
        return True
    here = k.per_cpu[struct.cpu].virtualization_enabled or k.globals.kvm_rebooting
    return bool(here or len(struct.owners) > struct.owners.count(0))
