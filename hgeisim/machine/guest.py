"""Entering a guest, running it, and the register sweeps of the host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hgeisim.machine.guest_registers import GuestRegisters
from hgeisim.machine.ops import Op
from hgeisim.machine.task import Runner


@dataclass(frozen=True, slots=True)
class SweepVsFile(Op):
    """Read or write all registers of the guest file that hstatus.VGEIN names, on this HART."""

    cost: ClassVar[str] = "vsfile_sweep"

    def end(self, who: Runner) -> None:
        """Illegal instruction when there is no such file."""
        who.hart.access_vsfile()

    def __str__(self) -> str:
        return "sweep VS-file"


@dataclass(frozen=True, slots=True)
class EnterGuest(Op):
    """sret into the guest of a vCPU; from then on every interrupt of the HART makes it exit.

    `registers` are its own, where they are modelled: the guest uses what the HART has.
    """

    cost: ClassVar[str] = "guest_entry"
    vcpu: int
    registers: GuestRegisters | None = None

    def end(self, who: Runner) -> None:
        """Be in the guest."""
        who.hart.guest = self.vcpu
        if self.registers is not None:
            self.registers.use(who.hart)

    def __str__(self) -> str:
        return "enter guest"


@dataclass(frozen=True, slots=True)
class RunGuest(Op):
    """The guest of vCPU `name` computes, until it has nothing more to do or must exit.

    Explored, it may be interrupted before it does anything, or has done all.
    """

    name: str

    def __str__(self) -> str:
        return f"guest_run {self.name}"


SWEEP_VSFILE = SweepVsFile()
