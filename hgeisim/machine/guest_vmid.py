"""The VMID of a VM, which tags what HARTs cache of its G-stage page table.

A hypervisor has few VMIDs.  When all are used up it takes them all back, flushes every HART, and
gives each VM a new one when it is entered next: the *version* counts how often.
"""

from __future__ import annotations

from hgeisim.machine.shared import Array, Field, Memory, Shared, build


class GuestVmid(Shared):
    """struct kvm_vmid.  `vmid` is the version in which its VMID was given out, `version` the one
    that its vCPUs compare; `flushed`, by HART, the newest version whose VMID no longer stands for
    anybody else's translations there.

    VMIDs themselves do not matter here, only whether a HART can mistake one VM for another.
    """

    vmid: Field
    version: Field
    flushed: Array

    def flush(self, hart: int, version: int) -> None:
        """A HART drops all that it has cached under the VMID of a version; if that is an old one,
        it stays old."""
        self.flushed[hart] = max(self.flushed[hart], version)


def guest_vmid(memory: Memory | None, name: str, harts: int) -> GuestVmid:
    """The first VMID of a VM, on HARTs that have cached nothing."""
    return build(GuestVmid, memory, f"{name}.vmid", flushed=harts)
