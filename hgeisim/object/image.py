"""Objects laid out in one memory: addresses, relocated bytes, symbols, static branches.

A symbol that no object defines is external: it gets an address of its own, where nothing lies.
Addresses are hgeisim's own, chosen so that a stray pointer hits nothing.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from hgeisim.errors import InputError, Problem
from hgeisim.object.elf import REMEDY, ObjectFile, Section, Symbol
from hgeisim.object.relocation import CannotRelocate, Place, relocate

BASE, EXTERNAL = 0x1000_0000, 0x2000_0000
PAGE = 4096
PERCPU = ".data..percpu"
JUMP_TABLE = "__jump_table"
JUMP_ENTRY = 16


@dataclass(frozen=True)
class Function:
    """A function of an object, in bytes of memory."""

    name: str
    address: int
    size: int
    file: str


@dataclass(frozen=True)
class Segment:
    """A section in memory."""

    address: int
    data: bytes
    section: Section
    file: str

    @property
    def end(self) -> int:
        """The address behind it."""
        return self.address + len(self.data)


@dataclass(frozen=True)
class StaticBranch:
    """A jump that a static key turns on or off: it is taken while `key` differs from `inverted`."""

    target: int
    key: int
    inverted: bool


class Image:
    """All objects together.

    `symbols` has global names and those local names that only one object has; `external` the names
    that none defines, by their address.
    """

    def __init__(self, objects: Sequence[ObjectFile]) -> None:
        self.objects = objects
        self._places: dict[tuple[int, int], Place] = {}
        self._debug: dict[tuple[int, int], bytes] = {}
        self.symbols: dict[str, int] = {}
        self.external: dict[int, str] = {}
        self.functions: list[Function] = []
        self._lay_out()
        self._name()
        self.segments = sorted(self._segments(), key=lambda each: each.address)
        self._starts = [each.address for each in self.segments]
        self.functions.sort(key=lambda each: each.address)
        self._entries = [each.address for each in self.functions]

    def _lay_out(self) -> None:
        address = BASE
        for number, each in enumerate(self.objects):
            for index, section in each.sections.items():
                if section.is_in_memory and section.data:
                    address = -(-address // section.align) * section.align
                    self._places[number, index] = Place(bytearray(section.data), address)
                    address += len(section.data)
                elif section.name.startswith(".debug"):
                    self._places[number, index] = Place(bytearray(section.data), 0)

    def _name(self) -> None:
        twice: set[str] = set()
        for number, each in enumerate(self.objects):
            for symbol in each.symbols:
                place = self._places.get((number, -1 if symbol.section is None else symbol.section))
                if place is None or not symbol.name:
                    continue
                address = place.base + symbol.value
                if symbol.is_function:
                    self.functions.append(Function(symbol.name, address, symbol.size, each.name))
                if symbol.name in self.symbols and not symbol.is_global:
                    twice.add(symbol.name)
                self.symbols[symbol.name] = address
        defined = self._defined()
        missing = {
            symbol.name
            for each in self.objects
            for symbol in each.symbols
            if symbol.section is None and symbol.is_global and symbol.name not in defined
        }
        for i, name in enumerate(sorted(missing)):
            self.symbols[name] = EXTERNAL + PAGE * i
            self.external[EXTERNAL + PAGE * i] = name
        for name in twice - defined - missing:
            del self.symbols[name]

    def _defined(self) -> set[str]:
        return {
            symbol.name
            for each in self.objects
            for symbol in each.symbols
            if symbol.is_global and symbol.section is not None
        }

    def _segments(self) -> list[Segment]:
        made = []
        for (number, index), place in self._places.items():
            section = self.objects[number].sections[index]
            if section.is_in_memory:
                self._relocate(number, index)
                name = self.objects[number].name
                made.append(Segment(place.base, bytes(place.data), section, name))
        return made

    def _relocate(self, number: int, index: int) -> None:
        each = self.objects[number]
        section = each.sections[index]
        try:
            relocate(
                self._places[number, index],
                section.relocations,
                lambda symbol: self._address_of(number, symbol),
            )
        except CannotRelocate as error:
            where = f"section {section.name}"
            raise InputError([Problem(each.name, where, "", str(error), REMEDY)]) from None

    def _address_of(self, number: int, symbol: Symbol) -> int:
        if symbol.section is not None:
            place = self._places.get((number, symbol.section))
            return symbol.value + (place.base if place else 0)
        return self.symbols[symbol.name] if symbol.name else symbol.value

    def debug(self, name: str, number: int) -> bytes:
        """A debug section of an object, with the addresses of this image; empty without one."""
        found = next(self.objects[number].named(name), None)
        if found is None:
            return b""
        if (number, found[0]) not in self._debug:
            self._relocate(number, found[0])
            self._debug[number, found[0]] = bytes(self._places[number, found[0]].data)
        return self._debug[number, found[0]]

    def segment(self, address: int) -> Segment | None:
        """The section that lies at an address."""
        i = bisect_right(self._starts, address) - 1
        found = self.segments[i] if i >= 0 else None
        return found if found and address < found.end else None

    def initial(self, address: int, size: int) -> int | None:
        """The value that the objects have there at first; None where they have nothing."""
        found = self.segment(address)
        if found is None or address + size > found.end:
            return None
        at = address - found.address
        return int.from_bytes(found.data[at : at + size], "little")

    def is_constant(self, address: int) -> bool:
        """Whether nothing writes there: code and .rodata."""
        found = self.segment(address)
        if found is None:
            return False
        return found.section.is_code or found.section.name.startswith((".rodata", ".srodata"))

    def function_at(self, address: int) -> Function | None:
        """The function whose code lies at an address."""
        i = bisect_right(self._entries, address) - 1
        found = self.functions[i] if i >= 0 else None
        return found if found and address < found.address + found.size else None

    @cached_property
    def percpu(self) -> tuple[Segment, ...]:
        """The sections that each CPU has a copy of (Documentation/core-api/this_cpu_ops.rst)."""
        return tuple(each for each in self.segments if each.section.name.startswith(PERCPU))

    @cached_property
    def static_branches(self) -> dict[int, StaticBranch]:
        """The entries of __jump_table by the address of the instruction (linux/jump_label.h)."""
        found = {}
        for each in self.segments:
            if each.section.name == JUMP_TABLE:
                for at in range(0, len(each.data) - JUMP_ENTRY + 1, JUMP_ENTRY):
                    here = each.address + at
                    code, target, key = (
                        place + int.from_bytes(each.data[i : i + n], "little", signed=True)
                        for place, i, n in (
                            (here, at, 4),
                            (here + 4, at + 4, 4),
                            (here + 8, at + 8, 8),
                        )
                    )
                    found[code] = StaticBranch(target, key & ~3, bool(key & 1))
        return found
