"""What an event of a trace says: one small class for each meaning, one field for each fact.

A field is read from the argument of its own name, or from the one named in its annotation.  A field
with a default may be missing in the trace.  Pointers (`vcpu`) are names: text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from hgeisim.trace.value import Bits, Cpu, Line, LineOrError, Number

_VGEIN_SHIFT, _VGEIN_MASK = 12, 0x3F
"""Bits 17:12 of hstatus."""


class Meaning:
    """What an event says."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Alloc(Meaning):
    """kvm_riscv_aia_alloc_hgei begins; `old_*` is the VS-file the vCPU has (None: not told)."""

    cpu: Cpu
    vcpu: str
    old_cpu: Cpu | None = None
    old_line: Annotated[Line | None, "old_hgei"] = None


@dataclass(frozen=True, slots=True)
class AllocReturn(Meaning):
    """... and returns a line, or -2 (ENOENT) when none is free."""

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
    """... and returns."""

    cpu: Cpu | None = None
    line: Annotated[Line | None, "hgei"] = None


@dataclass(frozen=True, slots=True)
class Sgei(Meaning):
    """hgei_interrupt has cleared the HGEIE bits in `mask` (HGEIP & HGEIE)."""

    mask: Bits


@dataclass(frozen=True, slots=True)
class Update(Meaning):
    """kvm_riscv_vcpu_aia_imsic_update begins; `vsfile_*` is the VS-file the vCPU has."""

    vcpu: str
    cpu: Annotated[Cpu, "vcpu_cpu"]
    vsfile_cpu: Annotated[Cpu, "vs_cpu"]
    vsfile_line: Annotated[Line, "vs_hgei"]


@dataclass(frozen=True, slots=True)
class UpdateReturn(Meaning):
    """... and returns 1 to enter the guest, 0 to leave to user space, or a negative errno."""

    result: Annotated[Number, "ret"]


@dataclass(frozen=True, slots=True)
class Release(Meaning):
    """kvm_riscv_vcpu_aia_imsic_release begins; `vsfile_*` is the VS-file to give up."""

    vcpu: str
    vsfile_cpu: Annotated[Cpu, "vs_cpu"]
    vsfile_line: Annotated[Line, "vs_hgei"]


@dataclass(frozen=True, slots=True)
class ReleaseReturn(Meaning):
    """... and returns."""


@dataclass(frozen=True, slots=True)
class Disable(Meaning):
    """kvm_riscv_aia_disable begins: the CPU gives up its lines."""


@dataclass(frozen=True, slots=True)
class DisableReturn(Meaning):
    """... and returns."""


@dataclass(frozen=True, slots=True)
class Enable(Meaning):
    """kvm_riscv_aia_enable begins."""


@dataclass(frozen=True, slots=True)
class EnableReturn(Meaning):
    """... and returns: the CPU may hand out lines."""


@dataclass(frozen=True, slots=True)
class Map(Meaning):
    """The page of a guest's IMSIC is mapped to the page `hpa`: of a HART's guest file."""

    gpa: Bits
    hpa: Bits


@dataclass(frozen=True, slots=True)
class Unmap(Meaning):
    """... and unmapped."""

    gpa: Bits


@dataclass(frozen=True, slots=True)
class Sweep(Meaning):
    """The registers of a VS-file are read and cleared, on its own CPU."""

    line: Annotated[Line, "hgei"]


@dataclass(frozen=True, slots=True)
class Inject(Meaning):
    """An MSI is injected by software; `vsfile_cpu` -1 means into the SW-file."""

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
    """The HGEIE bit of a vCPU's line is set (it blocks) or cleared."""

    vcpu: str
    enabled: Annotated[Number, "en"]


@dataclass(frozen=True, slots=True)
class Kick(Meaning):
    """kvm_vcpu_kick; `cpu` is -1 for a vCPU that is not loaded."""

    vcpu: str
    cpu: Cpu
    mode: Number


@dataclass(frozen=True, slots=True)
class Load(Meaning):
    """kvm_arch_vcpu_load."""

    vcpu: str
    cpu: Cpu


@dataclass(frozen=True, slots=True)
class Put(Meaning):
    """kvm_arch_vcpu_put."""

    vcpu: str
    cpu: Cpu
