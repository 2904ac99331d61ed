"""A HART: HGEI registers, guest interrupt files, interrupt and preemption state."""

from __future__ import annotations

from typing import Any

from hgeisim.machine.interrupt_file import topei
from hgeisim.machine.ledger import Ledger
from hgeisim.machine.shared import Array, Field, Shared

XLEN = 64
ALL_ONES = (1 << XLEN) - 1
SENDER_BITS = 20
"""The bits that a HART's call queue has for each sender."""


def bit(n: int) -> int:
    """BIT(n) of an unsigned long, as RISC-V computes it: `sll` looks at the low 6 bits of n.

    So bit(64) is 1, which is what makes BIT(nr_hgei + 1) - 1 empty on a HART with 63 lines.
    """
    return 1 << (n % XLEN)


def fls(word: int) -> int:
    """fls_long: the number of the highest bit set, counted from 1; 0 for 0."""
    return word.bit_length()


def find_first_bit(word: int) -> int:
    """find_first_bit of one word: the number of the lowest bit set, counted from 0, as by __ffs.
    `word` must not be 0."""
    return (word & -word).bit_length() - 1


ffs = find_first_bit
"""How patches may call it as well.  C has another ffs, which counts from 1."""


def hold_off(hart: Hart, irq: bool, by: int) -> None:
    """Count one more (`by` 1) or one less (-1) reason to keep interrupts, or only preemption, off:
    what taking and dropping a spinning lock does."""
    if irq:
        hart.irq_off += by
    else:
        hart.preempt_count += by


class Hart(Shared):
    """One HART (RISC-V privileged architecture, hypervisor extension and AIA).

    Registers: `hgeie` and `hgeip` (bits GEILEN..1), `sgeie` (hie.SGEIE), `hvictl` and `hvien` (only
    whether AIA set them up), `vgein` (the host's hstatus.VGEIN), and of each guest interrupt file
    `eidelivery`, `eithreshold`, `eip`, `eie`.

    State: `irq_off` counts how often interrupts were disabled (0: on), `hardirq` is 1 while an
    interrupt handler runs, `preempt_count` counts preempt_disable.  `guest` is the id of the vCPU
    whose guest it executes, 0 in the host.  `current` is the id of the task that nothing may take
    off the HART, 0 when there is none.  `active` and `online` are
    the bits of cpu_active_mask and cpu_online_mask.  `call_queue` holds the senders whose function
    it is to run, the oldest in the lowest bits; `resched_ipi` is 1 when it was sent a reschedule
    IPI.  `trapped` is 1 once the host took an illegal-instruction exception.  Only checks read
    `vsfile_of`, the id of the vCPU for which the kernel has set `vgein`, 0 when it has not, and
    `sgei_lines`, the lines for which the SGEI was taken that is being handled.  `registers_of` is
    the id of the vCPU whose registers the HART has (`GuestRegisters`), 0 for none's.

    `sgei` is the kernel's operation `k.sgei[id]`; users' own patches may name it in this way, too.
    """

    hgeie: Field
    hgeip: Field
    sgeie: Field
    hvictl: Field
    hvien: Field
    vgein: Field
    vsfile_of: Field
    sgei_lines: Field
    registers_of: Field
    trapped: Field
    irq_off: Field
    hardirq: Field
    preempt_count: Field
    guest: Field
    current: Field
    active: Field
    online: Field
    call_queue: Field
    resched_ipi: Field
    eidelivery: Array
    eithreshold: Array
    eip: Array
    eie: Array
    id: int
    name: str
    geilen: int
    sgei: Any

    @property
    def lines_mask(self) -> int:
        """Bits GEILEN..1."""
        return (2 << self.geilen) - 2

    def write_hgeie(self, value: int) -> None:
        """csr_write(CSR_HGEIE): WARL, bit 0 and the bits above GEILEN stay zero."""
        self.hgeie = value & self.lines_mask

    def has_file(self, hgei: int) -> bool:
        """Whether there is such a guest interrupt file."""
        return 0 < hgei <= self.geilen

    def update_hgeip(self, hgei: int) -> None:
        """Let the pending bit of a guest file follow its registers."""
        if not self.has_file(hgei):
            return
        deliver = self.eidelivery[hgei] and topei(
            self.eip[hgei], self.eie[hgei], self.eithreshold[hgei]
        )
        if deliver:
            self.hgeip |= bit(hgei)
        else:
            self.hgeip &= ~bit(hgei)

    def write_msi(self, hgei: int, iid: int) -> None:
        """A store of an identity to the page of a guest file; without such a file it is lost."""
        if self.has_file(hgei):
            self.eip[hgei] |= bit(iid)
            self.update_hgeip(hgei)

    def clear_file(self, hgei: int) -> None:
        """Zero the registers of a guest file."""
        if self.has_file(hgei):
            self.eidelivery[hgei] = self.eithreshold[hgei] = 0
            self.eip[hgei] = self.eie[hgei] = 0
            self.update_hgeip(hgei)

    def set_up(self, hgei: int, eie: int, ledger: Ledger) -> None:
        """The guest with these books enables identities and delivery in its file."""
        if self.has_file(hgei):
            self.eie[hgei] |= eie
            self.eidelivery[hgei] = 1
            self.update_hgeip(hgei)
            ledger.set_up(eie)

    def disable_identities(self, hgei: int, identities: int, ledger: Ledger) -> None:
        """The guest with these books disables identities in its file."""
        if self.has_file(hgei):
            self.eie[hgei] &= ~identities
            self.update_hgeip(hgei)
            ledger.disable(identities)

    def serve(self, hgei: int, ledger: Ledger) -> None:
        """The guest with these books claims and serves all that its file delivers."""
        if not (self.has_file(hgei) and self.hgeip & bit(hgei)):
            return
        before = self.eip[hgei]
        while self.hgeip & bit(hgei):
            self.eip[hgei] &= ~bit(topei(self.eip[hgei], self.eie[hgei], self.eithreshold[hgei]))
            self.update_hgeip(hgei)
        ledger.take(before & ~self.eip[hgei])

    def access_vsfile(self) -> None:
        """Vsiselect and vsireg: reach the guest file that VGEIN names, or trap without one."""
        if not self.has_file(self.vgein):
            self.trapped = 1

    def lose_power(self) -> None:
        """All registers of its own are lost; interrupt files, which are the IMSIC's, are not."""
        self.hgeie = self.sgeie = self.hvictl = self.hvien = self.registers_of = 0

    def sgei_pending(self) -> bool:
        """Whether the level-triggered SGEI wire is up and enabled."""
        return bool(self.hgeip & self.hgeie) and self.sgeie == 1

    def queue_call(self, sender: int) -> None:
        """An IPI with a function to run arrives; `sender` is the number of its runner."""
        length = -(-self.call_queue.bit_length() // SENDER_BITS)
        self.call_queue |= sender << (length * SENDER_BITS)

    def next_caller(self) -> int:
        """The number of the sender whose function is to be run first, 0 when there is none."""
        return self.call_queue & ((1 << SENDER_BITS) - 1)

    def called(self) -> None:
        """The function of that sender has run."""
        self.call_queue >>= SENDER_BITS

    def interruptible(self) -> bool:
        """Whether an interrupt would be taken now; in a guest, always."""
        return self.hardirq == 0 and (self.irq_off == 0 or self.guest != 0)

    def note_sgei(self) -> None:
        """SGEI is the interrupt that is taken: note for which lines."""
        self.sgei_lines = self.hgeip & self.hgeie

    def take_interrupt(self) -> None:
        """Go to the handler; a guest exits first."""
        self.guest = 0
        self.hardirq = 1

    def end_interrupt(self) -> None:
        """Come back from the handler."""
        self.hardirq = self.sgei_lines = 0

    def preemptible(self) -> bool:
        """Whether the stopper could run here now (it waits for each such section to end).

        A guest would exit for it.
        """
        free = self.preempt_count == 0 or self.guest != 0
        return free and self.interruptible() and self.current == 0
