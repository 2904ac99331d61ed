"""A context of execution as the machine sees it: where it runs and what it waits for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hgeisim.machine.shared import Field, Shared

if TYPE_CHECKING:
    from hgeisim.machine.hart import Hart


class Runner(Shared):
    """Something that executes operations: a task, or a hardirq of a HART.

    `cpu` is the HART it is on, `ticket` the ticket it spins with, `phase` how far a wait of several
    phases has come (0 when it is over).  `ipi_mask` are the HARTs that its next IPI is for,
    `ipi_wait` those that have not answered yet.  `srcu` holds the indexes of the SRCU sections that
    it is in, see `Srcu`.  `got` is 1 when its last trylock took the lock.  `id` is 0 for a hardirq;
    `number` is unique among all runners.
    """

    cpu: Field
    ticket: Field
    phase: Field
    srcu: Field
    ipi_mask: Field
    ipi_wait: Field
    got: Field
    id: int
    number: int
    name: str
    harts: Sequence[Hart]

    @property
    def hart(self) -> Hart:
        """The HART it is on at this moment."""
        return self.harts[self.cpu]

    def undisturbed(self) -> bool:
        """Whether no interrupt can come before its next step."""
        hart = self.harts[self.cpu]
        return hart.irq_off > 0 or hart.hardirq > 0


HARDIRQ_NUMBERS = 1 << 19
"""Runners other than tasks are numbered from here on."""
