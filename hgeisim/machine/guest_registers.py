"""The registers of a guest, and the places that have their newest values.

They are those that a HART has once, whichever vCPU it executes: the VS-level CSRs (vsstatus, vsie,
vstvec, vsatp and the others), hvip, hedeleg, hideleg and hgatp (privileged architecture, hypervisor
extension).  A hypervisor writes them when it loads a vCPU, and saves them when it puts it; one that
does not write them must be sure that the HART still has them.

Values do not matter here, only where the newest are.
"""

from __future__ import annotations

from hgeisim.machine.hart import Hart, bit
from hgeisim.machine.shared import Field, Memory, Shared, build


class GuestRegisters(Shared):
    """Where the newest registers of one vCPU are.

    `in_memory` is 1 while the memory of the host has them.  `harts` has a bit for each HART to
    which they were written, or on which they were used, since they last changed elsewhere; such a
    HART has them as long as its `registers_of` names the vCPU `id`.  Nowhere: they are lost.
    `preempted` is 1 while its thread has lost its HART to that of another vCPU, or was pushed off,
    where no context switch shows it.
    """

    in_memory: Field
    harts: Field
    preempted: Field
    id: int

    def are_on(self, hart: Hart) -> bool:
        """Whether a HART has the newest."""
        return hart.registers_of == self.id and bool(self.harts & bit(hart.id))

    def write(self, hart: Hart) -> None:
        """The host writes the registers of a HART as its memory has them."""
        hart.registers_of = self.id if self.in_memory else 0
        self.harts |= bit(hart.id)

    def save(self, hart: Hart) -> None:
        """The host reads the registers of a HART into its memory."""
        self.in_memory = int(self.are_on(hart))

    def preempt(self, hart: Hart) -> None:
        """Its thread loses the HART: the host saves them first."""
        if not self.preempted:
            self.save(hart)
            self.preempted = 1

    def use(self, hart: Hart) -> None:
        """The guest runs on a HART and may change any of them; what any other has is old.

        Where it runs on old ones of its own, the HART has the newest of nobody.
        """
        if hart.registers_of == self.id and not self.are_on(hart):
            hart.registers_of = 0
        self.in_memory, self.harts = 0, bit(hart.id)

    def renew(self) -> None:
        """User space or a reset changes them in memory; what a HART has is old."""
        self.in_memory, self.harts = 1, 0


def guest_registers(memory: Memory | None, name: str, ident: int) -> GuestRegisters:
    """Make the registers of a vCPU that has never run: memory has them."""
    made = build(GuestRegisters, memory, f"{name}.registers", in_memory=1)
    made.id = ident
    return made
