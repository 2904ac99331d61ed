"""Cells, locks and functions of the model by the names that the kernel has for them."""

from __future__ import annotations

import inspect
import re
from typing import Any

from hgeisim.machine.kernel_name import innermost, marks, shown

LOCKS = {
    "vsfile_lock": "imsic->vsfile_lock",
    "swfile_extirq_lock": "imsic->swfile_extirq_lock",
    "mmu_lock": "kvm->mmu_lock",
    "slots_lock": "kvm->slots_lock",
    "hfence_lock": "vcpu->hfence_lock",
    "pi_lock": "p->pi_lock",
    "mutex": "vcpu->mutex",
    "srcu": "kvm->srcu",
}
"""The locks of a vCPU, a VM or a task, by their names in the model."""
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


def cell_name(cell: str) -> str:
    """A cell, after whose it is: CPU0 free_bitmap, v1 vsfile_cpu, v1 SW-file eip."""
    owner, _, field = cell.rpartition(".")
    owner = re.sub(r"^(hgei|hart|cpu|rq)(\d+)$", r"CPU\2", owner)
    owner = re.sub(r"\.swfile$", " SW-file", owner)
    owner = re.sub(r"\.data\.mrif$", " stack", owner)
    line = re.fullmatch(r"(eidelivery|eithreshold|eip|eie)\[(\d+)\]", field)
    return f"{owner} line {line[2]} {line[1]}" if line else f"{owner} {field}"


def value_text(cell: str, value: int, vcpus: dict[int, str]) -> str:
    """A value as the kernel would print it: bitmaps in binary, owners by name."""
    if cell.endswith(("free_bitmap", "hgeie", "hgeip")):
        return f"0b{value:b}"
    if "owners[" in cell:
        return vcpus.get(value, "NULL")
    if re.search(r"\.(eip|eie)(\[\d+\])?$", cell):
        return f"{value:#x}"
    return str(value)


def op_text(op: str) -> str:
    """An operation with the kernel's names of locks."""
    words = []
    for word in op.split(" "):
        owner, dot, name = word.rpartition(".")
        if dot and name in LOCKS:
            word = f"{LOCKS[name]} of {owner.rpartition('/')[2]}"
        elif dot and name == "lock" and re.fullmatch(r"(hgei|rq)\d+", owner):
            lock = "hgctrl->lock" if owner.startswith("hgei") else "rq->__lock"
            word = f"{lock} of CPU{owner.lstrip('hgeirq')}"
        elif dot and name == "lock" and owner != "irq_desc":
            word = f"kvm->lock of {owner}"
        words.append(word)
    return " ".join(words)


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
