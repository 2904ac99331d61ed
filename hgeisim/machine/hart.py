"""A HART: HGEI registers, interrupt and preemption state, and what runs on it."""

from __future__ import annotations

from hgeisim.machine.ops import SampleSgei
from hgeisim.machine.shared import Field, Shared

XLEN = 64
ALL_ONES = (1 << XLEN) - 1


def bit(n: int) -> int:
    """BIT(n) of an unsigned long, as RISC-V computes it: `sll` looks at the low 6 bits of n.

    So bit(64) is 1, which is what makes BIT(nr_hgei + 1) - 1 empty on a HART with 63 lines.
    """
    return 1 << (n % XLEN)


def fls(word: int) -> int:
    """fls_long: the number of the highest bit set, counted from 1; 0 for 0."""
    return word.bit_length()


def ffs(word: int) -> int:
    """__ffs: the index of the lowest bit set.  `word` must not be 0."""
    return (word & -word).bit_length() - 1


class Hart(Shared):
    """One HART (RISC-V privileged architecture, hypervisor extension and AIA).

    `hgeie` and `hgeip` hold bits GEILEN..1, `sgeie` is hie.SGEIE.  `hgeip` is the pending state of
    the guest interrupt files, reduced to one bit a file.  `irq_off` counts how often interrupts
    were disabled (0: on), `hardirq` is 1 while an interrupt handler runs, `preempt_count` counts
    preempt_disable.  `guest` is the id of the vCPU whose guest it executes, 0 in the host.
    `current` is the id of the task that nothing may take off the HART, 0 when there is none.
    `active` and `online` are the bits of cpu_active_mask and cpu_online_mask.  `vgein` is the
    host's hstatus.VGEIN, `trapped` is 1 once the host took an illegal-instruction exception.
    """

    hgeie: Field
    hgeip: Field
    sgeie: Field
    irq_off: Field
    hardirq: Field
    preempt_count: Field
    guest: Field
    vgein: Field
    trapped: Field
    current: Field
    active: Field
    online: Field
    id: int
    name: str
    geilen: int
    sgei: SampleSgei

    @property
    def lines_mask(self) -> int:
        """Bits GEILEN..1."""
        return (2 << self.geilen) - 2

    def hold_off(self, irq: bool, by: int) -> None:
        """Count one more (`by` 1) or one less (-1) reason to keep interrupts, or only preemption,
        off: what taking and dropping a spinning lock does."""
        if irq:
            self.irq_off += by
        else:
            self.preempt_count += by

    def write_hgeie(self, value: int) -> None:
        """csr_write(CSR_HGEIE): WARL, bit 0 and the bits above GEILEN stay zero."""
        self.hgeie = value & self.lines_mask

    def raise_hgeip(self, hgei: int) -> None:
        """Make a guest interrupt file pending; one that does not exist raises nothing."""
        self.hgeip |= bit(hgei) & self.lines_mask

    def access_vsfile(self) -> None:
        """Vsiselect and vsireg: reach the guest file that VGEIN names, or trap without one."""
        if not 0 < self.vgein <= self.geilen:
            self.trapped = 1

    def sgei_pending(self) -> bool:
        """Tell whether the level-triggered SGEI wire is up and enabled."""
        return bool(self.hgeip & self.hgeie) and self.sgeie == 1

    def interruptible(self) -> bool:
        """Tell whether an interrupt would be taken now; in a guest, always."""
        return self.hardirq == 0 and (self.irq_off == 0 or self.guest != 0)

    def take_interrupt(self) -> None:
        """Go to the handler; a guest exits first."""
        self.guest = 0
        self.hardirq = 1

    def preemptible(self) -> bool:
        """Tell whether the stopper could run here now (it waits for each such section to end).

        A guest would exit for it.
        """
        free = self.preempt_count == 0 or self.guest != 0
        return free and self.interruptible() and self.current == 0
