"""The registers of an IMSIC interrupt file (RISC-V AIA specification, chapter 3)."""

from __future__ import annotations

from hgeisim.machine.shared import Field, Shared

LOW = (1 << 32) - 1
"""The part of a word of 64 bits that lr.w and sc.w reach."""


def sign_extended(word: int) -> int:
    """A word as lr.w reads it into a register of 64 bits: bits 32 to 63 are copies of bit 31."""
    low = word & LOW
    return low | (LOW << 32 if low >> 31 else 0)


def topei(eip: int, eie: int, eithreshold: int) -> int:
    """The lowest identity that is pending, enabled and below the threshold; 0 when there is none.

    A threshold of 0 lets all identities through.
    """
    word = eip & eie
    if eithreshold:
        word &= (1 << eithreshold) - 1
    return (word & -word).bit_length() - 1 if word else 0


class InterruptFile(Shared):
    """An interrupt file in memory: struct imsic_mrif (aia_imsic.c).

    `eip` and `eie` have a bit for each interrupt identity, bit 0 unused.
    """

    eidelivery: Field
    eithreshold: Field
    eip: Field
    eie: Field
    name: str

    def deliverable(self) -> bool:
        """Whether an interrupt would be delivered from here."""
        return bool(self.eidelivery and topei(self.eip, self.eie, self.eithreshold))

    def clear(self) -> None:
        """Memset of the whole file."""
        self.eidelivery = self.eithreshold = self.eip = self.eie = 0
