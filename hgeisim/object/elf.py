"""A relocatable RISC-V object as the compiler writes it: sections, symbols, relocations.

Sources: System V ABI, chapter 4 (Object Files); RISC-V ELF psABI.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hgeisim.errors import InputError, Problem

MAGIC = b"\x7fELF"
SIZE_MAX = 64 << 20
"""Most bytes of one section in memory; a hostile file may claim more without having them."""
SYMBOL, RELOCATION = struct.Struct("<IBBHQQ"), struct.Struct("<QQq")
LOCAL, FUNCTION_SYMBOL, SECTION_SYMBOL, SECTIONS_RESERVED = 0, 2, 3, 0xFF00
REMEDY = "name a build directory of a RISC-V kernel of 64 bits, see docs/object-code.md"


@dataclass(frozen=True, slots=True)
class Symbol:
    """A symbol: `section` is the index of the section in which it lies, None where it is missing
    from the file; `value` is its offset there."""

    name: str
    section: int | None
    value: int
    size: int
    is_function: bool
    is_global: bool


@dataclass(frozen=True, slots=True)
class Relocation:
    """A place in a section that the linker has to change; `kind` is a number of the psABI."""

    offset: int
    kind: int
    symbol: Symbol
    addend: int


@dataclass(frozen=True)
class Section:
    """A section; `data` is empty bytes for one that the file does not hold (.bss)."""

    name: str
    data: bytes
    is_in_memory: bool
    is_code: bool
    align: int
    relocations: tuple[Relocation, ...]


@dataclass(frozen=True)
class ObjectFile:
    """An object: its sections by their index in the file, and its symbols."""

    name: str
    sections: dict[int, Section]
    symbols: tuple[Symbol, ...]

    def named(self, name: str) -> Iterator[tuple[int, Section]]:
        """The sections of a name."""
        return ((i, each) for i, each in self.sections.items() if each.name == name)


def read_object(name: str, data: bytes) -> ObjectFile:
    """Take an object apart.

    Raises `InputError` with one sentence for what is not a relocatable RV64 object.
    """
    from elftools.elf.elffile import ELFFile  # noqa: PLC0415 - an extra: hgeisim[object]

    if not data.startswith(MAGIC):
        raise _unusable(name, "is not an ELF file")
    try:
        elf = ELFFile(io.BytesIO(data))
        wrong = _wrong_kind(elf)
        made = None if wrong else _taken_apart(name, elf)
    except Exception as error:  # noqa: BLE001 - a damaged file may raise anything in the parser
        made, wrong = None, f"cannot be read as an ELF file: {str(error) or type(error).__name__}"
    if made is None:
        raise _unusable(name, wrong)
    return made


def _unusable(name: str, allowed: str) -> InputError:
    return InputError([Problem(name, "", "", allowed, REMEDY)])


def _wrong_kind(elf: Any) -> str:
    if not elf.little_endian:
        return "is big-endian, and RISC-V kernels are little-endian"
    machine, kind = str(elf["e_machine"]), str(elf["e_type"])
    if machine != "EM_RISCV" or elf.elfclass != 64:
        return f"is for {machine.removeprefix('EM_')} of {elf.elfclass} bits, not for RISC-V of 64"
    if kind != "ET_REL":
        return f"is {kind}, not a relocatable object (ET_REL)"
    return ""


def _taken_apart(name: str, elf: Any) -> ObjectFile:
    table = elf.get_section_by_name(".symtab")
    symbols = tuple(_symbols(table, elf)) if table else ()
    relocations: dict[int, tuple[Relocation, ...]] = {}
    for section in elf.iter_sections():
        if section["sh_type"] == "SHT_RELA":
            relocations[section["sh_info"]] = tuple(_relocations(section, symbols))
    sections = {
        i: _section(section, relocations.get(i, ()))
        for i, section in enumerate(elf.iter_sections())
        if section["sh_type"] in ("SHT_PROGBITS", "SHT_NOBITS")
    }
    return ObjectFile(name, sections, symbols)


def _symbols(table: Any, elf: Any) -> Iterator[Symbol]:
    """The symbols, read directly: a kernel object has tens of thousands, most of them labels."""
    names = elf.get_section(table["sh_link"]).data()
    sections = [section.name for section in elf.iter_sections()]
    for name, info, _, index, value, size in SYMBOL.iter_unpack(table.data()):
        section = index if 0 < index < SECTIONS_RESERVED else None
        text = names[name : names.index(0, name)].decode()
        if info & 15 == SECTION_SYMBOL and section is not None:
            text = sections[section]
        is_function = info & 15 == FUNCTION_SYMBOL
        yield Symbol(text, section, value, size, is_function, info >> 4 != LOCAL)


def _relocations(section: Any, symbols: tuple[Symbol, ...]) -> Iterator[Relocation]:
    for offset, info, addend in RELOCATION.iter_unpack(section.data()):
        if info >> 32 >= len(symbols):
            raise ValueError(f"a relocation in {section.name} names a symbol that is not there")
        yield Relocation(offset, info & 0xFFFFFFFF, symbols[info >> 32], addend)


def _section(section: Any, relocations: tuple[Relocation, ...]) -> Section:
    size, flags = section.data_size, section["sh_flags"]  # the size once it is uncompressed
    if size > SIZE_MAX:
        raise ValueError(f"section {section.name} claims {size} bytes")
    data = bytes(size) if section["sh_type"] == "SHT_NOBITS" else section.data()
    if len(data) != size:
        raise ValueError(f"section {section.name} is cut short")
    align = max(section["sh_addralign"], 1)
    return Section(section.name, data, bool(flags & 2), bool(flags & 4), align, relocations)
