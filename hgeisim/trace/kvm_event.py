"""Events of KVM: one small class for each meaning, with one field for each fact.

A field is read from the argument of its own name, or from the one named in its annotation.  A field
with a default may be missing in the trace.  Pointers (`vcpu`) are names, so they are text.

The type of a field says what kind of value it is (`Cpu`, `Line`, ...) and which values it may have;
`reader_of` reads it.  Events of the kernel's own tracepoints are in kernel_event.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, NewType

from hgeisim.machine.topology import HGEIE_BITS_MAX
from hgeisim.trace.ftrace import CPUS_MAX

Cpu = NewType("Cpu", int)
"""Number of a CPU; -1 means none."""
Line = NewType("Line", int)
"""Number of an HGEI line; -1 and 0 mean none."""
LineOrError = NewType("LineOrError", int)
"""The result of kvm_riscv_aia_alloc_hgei: a line, or a negative errno."""
Number = NewType("Number", int)
"""A C int or long."""
Bits = NewType("Bits", int)
"""A register or an address, unsigned."""

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
    """Return a function that turns an argument's text into a value.

    It raises ValueError with the allowed values.  A CPU or line that a probe could not read is
    printed as "(fault)" and means none: the vCPU has no interrupt file.  `str` is left unchanged:
    pointers are only names, and may be shortened or hashed.
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
    """Read decimal (leading zeros allowed) or 0x; a kretprobe prints -2 as 0xfffffffffffffffe."""
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


_VGEIN_SHIFT, _VGEIN_MASK = 12, 0x3F
"""Bits 17:12 of hstatus."""


class Meaning:
    """The meaning of an event."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Alloc(Meaning):
    """kvm_riscv_aia_alloc_hgei begins; `old_*` is the vCPU's VS-file (None: not recorded)."""

    cpu: Cpu
    vcpu: str
    old_cpu: Cpu | None = None
    old_line: Annotated[Line | None, "old_hgei"] = None


@dataclass(frozen=True, slots=True)
class AllocReturn(Meaning):
    """kvm_riscv_aia_alloc_hgei returns a line, or -2 (ENOENT) if none is free."""

    result: Annotated[LineOrError, "ret"]
    cpu: Cpu | None = None
    vcpu: str | None = None


@dataclass(frozen=True, slots=True)
class Free(Meaning):
    """kvm_riscv_aia_free_hgei begins."""

    cpu: Cpu
    line: Annotated[Line, "hgei"]


@dataclass(frozen=True, slots=True)
class FreeReturn(Meaning):
    """kvm_riscv_aia_free_hgei returns."""

    cpu: Cpu | None = None
    line: Annotated[Line | None, "hgei"] = None


@dataclass(frozen=True, slots=True)
class Sgei(Meaning):
    """hgei_interrupt has cleared the HGEIE bits in `mask` (HGEIP & HGEIE)."""

    mask: Bits


@dataclass(frozen=True, slots=True)
class Update(Meaning):
    """kvm_riscv_vcpu_aia_imsic_update begins; `vsfile_*` is the vCPU's VS-file."""

    vcpu: str
    cpu: Annotated[Cpu, "vcpu_cpu"]
    vsfile_cpu: Annotated[Cpu, "vs_cpu"]
    vsfile_line: Annotated[Line, "vs_hgei"]


@dataclass(frozen=True, slots=True)
class UpdateReturn(Meaning):
    """kvm_riscv_vcpu_aia_imsic_update returns 1 to enter the guest, 0 to leave, or an errno < 0."""

    result: Annotated[Number, "ret"]


@dataclass(frozen=True, slots=True)
class Release(Meaning):
    """kvm_riscv_vcpu_aia_imsic_release begins; `vsfile_*` is the VS-file to give up."""

    vcpu: str
    vsfile_cpu: Annotated[Cpu, "vs_cpu"]
    vsfile_line: Annotated[Line, "vs_hgei"]


@dataclass(frozen=True, slots=True)
class ReleaseReturn(Meaning):
    """kvm_riscv_vcpu_aia_imsic_release returns."""


@dataclass(frozen=True, slots=True)
class Disable(Meaning):
    """kvm_riscv_aia_disable begins: the CPU gives up its lines."""


@dataclass(frozen=True, slots=True)
class DisableReturn(Meaning):
    """kvm_riscv_aia_disable returns."""


@dataclass(frozen=True, slots=True)
class Enable(Meaning):
    """kvm_riscv_aia_enable begins."""


@dataclass(frozen=True, slots=True)
class EnableReturn(Meaning):
    """kvm_riscv_aia_enable returns: the CPU may hand out lines."""


@dataclass(frozen=True, slots=True)
class Map(Meaning):
    """The page of a guest's IMSIC is mapped to `hpa`, the page of a HART's guest file."""

    gpa: Bits
    hpa: Bits


@dataclass(frozen=True, slots=True)
class Unmap(Meaning):
    """The page of a guest's IMSIC is unmapped."""

    gpa: Bits


@dataclass(frozen=True, slots=True)
class Sweep(Meaning):
    """The registers of a VS-file are read and cleared, on its own CPU."""

    line: Annotated[Line, "hgei"]


@dataclass(frozen=True, slots=True)
class Inject(Meaning):
    """Software injects an MSI; `vsfile_cpu` -1 means into the SW-file."""

    vcpu: str
    iid: Number
    vsfile_cpu: Annotated[Cpu, "vs_cpu"]
    vsfile_line: Annotated[Line, "vs_hgei"]


@dataclass(frozen=True, slots=True)
class Run(Meaning):
    """A guest is about to be entered."""

    vcpu: str
    cpu: Cpu
    hstatus: Bits

    @property
    def vgein(self) -> int:
        """The line that the guest will use; 0 without a VS-file."""
        return self.hstatus >> _VGEIN_SHIFT & _VGEIN_MASK


@dataclass(frozen=True, slots=True)
class Wakeon(Meaning):
    """The HGEIE bit of a vCPU's line is set, because the vCPU blocks, or cleared."""

    vcpu: str
    enabled: Annotated[Number, "en"]


@dataclass(frozen=True, slots=True)
class Kick(Meaning):
    """kvm_vcpu_kick begins; `cpu` is -1 for a vCPU that is not loaded."""

    vcpu: str
    cpu: Cpu
    mode: Number


@dataclass(frozen=True, slots=True)
class Load(Meaning):
    """kvm_arch_vcpu_load begins: the thread of a vCPU was switched in.

    `last_exit` is the CPU on which its guest was left last, -1 for none (None: not recorded).
    """

    vcpu: str
    cpu: Cpu
    last_exit: Cpu | None = None


@dataclass(frozen=True, slots=True)
class FullLoad(Meaning):
    """kvm_arch_vcpu_load writes all registers of the vCPU (v7.1 and later may find them there)."""

    vcpu: str


@dataclass(frozen=True, slots=True)
class Put(Meaning):
    """kvm_arch_vcpu_put begins: the thread of a vCPU is switched out."""

    vcpu: str
    cpu: Cpu


@dataclass(frozen=True, slots=True)
class ImsicPut(Meaning):
    """kvm_riscv_vcpu_aia_imsic_put begins; `vsfile_*` is the vCPU's VS-file."""

    vcpu: str
    vsfile_cpu: Annotated[Cpu, "vs_cpu"]
    vsfile_line: Annotated[Line, "vs_hgei"]
