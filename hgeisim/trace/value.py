"""Values of event arguments: what kind each is, and which values it may have."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NewType

from hgeisim.machine.topology import HGEIE_BITS_MAX
from hgeisim.trace.ftrace import CPUS_MAX

Cpu = NewType("Cpu", int)
"""Number of a CPU; -1 stands for none."""
Line = NewType("Line", int)
"""Number of an HGEI line; -1 and 0 stand for none."""
LineOrError = NewType("LineOrError", int)
"""What kvm_riscv_aia_alloc_hgei returns: a line, or a negative errno."""
Number = NewType("Number", int)
"""An int or long of C."""
Bits = NewType("Bits", int)
"""A register or an address, without sign."""

_NONE = "(fault)"
_ERRNO_MAX = 4095
_DIGITS_MAX = 20
_WHOLE = re.compile(r"(-?)(?:(0x)([0-9a-fA-F]{1,16})|([0-9]{1,20}))(?: .*)?").fullmatch
_RANGES: dict[object, tuple[int, int]] = {
    Cpu: (-1, CPUS_MAX - 1),
    Line: (-1, HGEIE_BITS_MAX),
    LineOrError: (-_ERRNO_MAX, HGEIE_BITS_MAX),
    Number: (-(1 << 63), (1 << 63) - 1),
    Bits: (0, (1 << 64) - 1),
}


def reader_of(kind: object) -> Callable[[str], int | str]:
    """Return what turns an argument's text into a value; it raises ValueError with what may be.

    A CPU or line that a probe could not read, "(fault)", is none: a vCPU without interrupt file.
    `str` is taken as it stands: pointers are names here, and may be shortened or hashed.
    """
    if kind is str:
        return str
    low, high = _RANGES[kind]

    none = _NONE if kind in (Cpu, Line) else ""

    def read(text: str) -> int:
        if text == none:
            return -1
        value = _integer(text, signed=low < 0)
        if not low <= value <= high:
            raise ValueError(f"must be {low}..{high}")
        return value

    return read


def _integer(text: str, signed: bool) -> int:
    """Read decimal (with leading zeros) or 0x; a kretprobe shows -2 as 0xfffffffffffffffe."""
    if text.isdigit() and text.isascii() and len(text) <= _DIGITS_MAX:
        return int(text)
    found = _WHOLE(text)
    if found is None:
        raise ValueError("must be a whole number, decimal or 0x")
    sign, prefix, digits16, digits10 = found.groups()
    value = int(digits16, 16) if prefix else int(digits10)
    if signed and prefix and len(digits16) in (8, 16) and digits16[0] in "89abcdefABCDEF":
        value -= 1 << 4 * len(digits16)
    return -value if sign else value
