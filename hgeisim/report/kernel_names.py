"""Cells, locks and functions of the model by the names that the kernel has for them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import Any

from hgeisim.machine.kernel_name import innermost, marks, shown

FIELDS = {
    "cpu": "vcpu->cpu",
    "halt_poll_ns": "vcpu->halt_poll_ns",
    "hfence_lock": "vcpu->hfence_lock",
    "hvip": "vcpu->arch.guest_csr.hvip",
    "irqs_pending": "vcpu->arch.irqs_pending",
    "irqs_pending_mask": "vcpu->arch.irqs_pending_mask",
    "lock": "kvm->lock",
    "mmu_lock": "kvm->mmu_lock",
    "mode": "vcpu->mode",
    "mutex": "vcpu->mutex",
    "requests": "vcpu->requests",
    "slots_lock": "kvm->slots_lock",
    "srcu": "kvm->srcu",
    "swfile_extirq_lock": "imsic->swfile_extirq_lock",
    "vsfile_cpu": "imsic->vsfile_cpu",
    "vsfile_hgei": "imsic->vsfile_hgei",
    "vsfile_lock": "imsic->vsfile_lock",
    "vssip": "HVIP.VSSIP",
}
"""The fields of a vCPU and of a VM that C has, by their names in the model."""
TASK_FIELDS = {
    "cpu": "task_cpu(p)",
    "on_cpu": "p->on_cpu",
    "on_rq": "p->on_rq",
    "pi_lock": "p->pi_lock",
    "state": "p->__state",
}
"""The same of a task, whose name is that of a thread: it has a slash."""
VARIABLES = (
    (r"hgei(\d+)\.", r"aia_hgei[\1]."),
    (r"rq(\d+)\.lock", r"cpu_rq(\1)->__lock"),
    (r"rq(\d+)\.", r"cpu_rq(\1)->"),
    (r"cpu(\d+)\.(virtualization_enabled)", r"\2[\1]"),
    (r"globals\.", ""),
    (r"hart(\d+)\.(active|online)", r"cpu_\2(\1)"),
    (r"([\w/#-]+)\.swfile\.(\w+)", r"imsic->swfile->\2 of \1"),
    (r"irq_desc\.lock", "irq_desc(SGEI)->lock"),
)
"""The other variables of C, by their names in the model."""
_CELL = re.compile(r"(?<![\w/.])([\w/#-]+)\.([a-z]\w*)((?:\[\d+\]|\.\w+)*)")
KERNEL_DATA = re.compile(
    r"(free_bitmap|nr_hgei|owners\[\d+\]|vsfile_(cpu|hgei)|pte_(cpu|hgei)|\.freed"
    r"|swfile\.\w+|mrif\.\w+|(eidelivery|eip|eie)\[\d+\])$"
)
"""The data that AIA's findings are about."""
ARMED = re.compile(
    r"\.(hgeie|hgeip|vgein|vsfile_of|guest|waiter|state|requests|irqs_pending(_mask)?)$"
)
PLACEMENT = re.compile(r"\.(active|online|virtualization_enabled)$")
_FUNCTION = re.compile(r"(_*[a-z]+_\w+|__schedule)\b")
_SECTION = re.compile(r"\((\d+\.\d+)")


def distance(cell: str) -> int:
    """How far a cell is from what AIA's findings are about: 1 for their data."""
    if KERNEL_DATA.search(cell):
        return 1
    if ARMED.search(cell) or PLACEMENT.search(cell):
        return 3
    return 6 if "lock" in cell else 30


def interrupt_file(cell: str) -> str:
    """The interrupt file that a cell is a register of: v1 SW-file, CPU0 line 1."""
    owner, _, register = cell.rpartition(".")
    owner = re.sub(r"^hart(\d+)$", r"CPU\1", owner)
    owner = re.sub(r"\.swfile$", " SW-file", owner)
    owner = re.sub(r"\.data\.mrif$", " stack", owner)
    line = re.fullmatch(r"\w+\[(\d+)\]", register)
    return f"{owner} line {line[1]}" if line else owner


def value_text(cell: str, value: int, vcpus: Mapping[int, str]) -> str:
    """A value as the kernel would print it: bitmaps in binary, owners by name."""
    if cell.endswith(("free_bitmap", "hgeie", "hgeip")):
        return f"0b{value:b}"
    if "owners[" in cell:
        return vcpus.get(value, "NULL")
    if re.search(r"\.(eip|eie)(\[\d+\])?$", cell):
        return f"{value:#x}"
    return str(value)


def in_c(text: str) -> str:
    """A text in which cells and locks have the names of C: an operation, or that of a finding."""
    return _CELL.sub(_in_c, text)


def _in_c(cell: re.Match[str]) -> str:
    for pattern, name in VARIABLES:
        if found := re.match(pattern, cell[0]):
            return found.expand(name) + cell[0][found.end() :]
    owner, field, rest = cell.groups()
    name = (FIELDS | TASK_FIELDS if "/" in owner else FIELDS).get(field, "")
    return f"{name}{rest} of {owner}" if name else cell[0]


def listed(word: str, numbers: list[int]) -> str:
    """Line 1, lines 1 and 2, lines 1 to 3."""
    if len(numbers) == 1:
        return f"{word} {numbers[0]}"
    joint = " and " if len(numbers) == 2 else " to "
    words = f"{word.removesuffix('y')}ies" if word.endswith("y") else f"{word}s"
    return f"{words} {numbers[0]}{joint}{numbers[-1]}"


class Functions:
    """The functions of a call chain by the names that the kernel's version has for them, with their
    sections in the step list.

    A chain has names of C already (`machine/kernel_name.py`).  Where a version has another one, the
    docstring of the function begins with it.
    """

    def __init__(self, kernel: type) -> None:
        self.kernel = kernel

    def kernel_name(self, functions: tuple[str, ...]) -> str:
        """The innermost function; empty for an empty chain."""
        name = innermost(self.kernel, functions)
        found = _FUNCTION.match(self._about(name))
        return found[1] if found else name

    def section(self, functions: tuple[str, ...]) -> str:
        """The section of the innermost of them that names one."""
        for name in reversed(functions):
            about = self._about(name)
            if _FUNCTION.match(about):
                found = _SECTION.search(about) or _SECTION.search(self._page(name))
                return found[1] if found else ""
        return ""

    def named(self, functions: tuple[str, ...]) -> str:
        """The innermost function that the kernel has, with its section."""
        name, section = self.kernel_name(functions), self.section(functions)
        return f"{name} ({section})" if section else name

    def naming(self, *words: str) -> list[str]:
        """The functions of the kernel that use all of some attributes."""
        found = dict[str, None]()
        for cls in self.kernel.__mro__:
            for name, member in vars(cls).items():
                code = getattr(member, "__code__", None)
                if code is not None and set(words) <= set(code.co_names):
                    found[self.named(shown(self.kernel, (name,)))] = None
        return sorted(found)

    def _about(self, name: str) -> str:
        return inspect.getdoc(self._member(name)) or ""

    def _page(self, name: str) -> str:
        module = inspect.getmodule(self._member(name))
        return inspect.getdoc(module) or ""

    def _member(self, name: str) -> Any:
        """The function that has a name, or the one that C calls so."""
        so_called = (each for each, mark in marks(self.kernel).items() if mark.functions == (name,))
        name = name if hasattr(self.kernel, name) else next(so_called, name)
        for cls in self.kernel.__mro__:
            member = cls.__dict__.get(name)
            if member is not None and inspect.getdoc(member):
                return member
        return None
