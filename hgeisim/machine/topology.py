"""The parts of a machine before anything runs on it: its HARTs and its clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

HGEIE_BITS_MAX = 63
"""Most HGEI lines of a HART: HGEIE has 64 bits and bit 0 is read-only zero (RV64)."""


@dataclass(frozen=True)
class HartSpec:
    """One HART.

    `guest_files` is the number of IMSIC guest interrupt files that its memory region holds
    (0..127); `geilen` the number of writable HGEIE bits (0..63), None when it is not known.
    `imsic` is false where the IMSIC has no page for it.
    """

    guest_files: int
    geilen: int | None = None
    imsic: bool = True

    @property
    def lines(self) -> int:
        """HGEI lines of this HART: GEILEN, or as many as guest files when it is not known."""
        return min(self.guest_files, HGEIE_BITS_MAX) if self.geilen is None else self.geilen

    @property
    def whole_lines(self) -> int:
        """Lines that have a guest file behind them."""
        return min(self.lines, self.guest_files)


@dataclass(frozen=True)
class Topology:
    """The HARTs of a machine in the order of their CPU numbers.

    `guest_index_bits` sets the stride of the S-level IMSIC pages: 2**bits pages a HART.
    `source` says where the facts come from (a file name or "scenario").  Of a devicetree there are
    the hart ids of the HARTs, what Linux warns of, and why it has no KVM there, if it has none.
    """

    harts: tuple[HartSpec, ...]
    guest_index_bits: int
    source: str
    hart_ids: tuple[int, ...] = ()
    warnings: tuple[str, ...] = ()
    no_kvm: str = ""

    @property
    def nr_guest_files(self) -> int:
        """The kernel's global count of guest files: the minimum over all HARTs that the IMSIC has
        pages for, 0 where there is none."""
        return min((hart.guest_files for hart in self.harts if hart.imsic), default=0)


class Clock:
    """A clock that stands still: for booting, and wherever time does not count.

    `driver` executes fused paths in time; None before there is one.
    """

    driver: Any = None

    def now_ns(self) -> int:
        """The time in ns."""
        return 0
