"""Applying relocations: what a linker writes into an object once it knows all addresses.

No relaxation: code stays as long as the assembler has made it, so ALIGN and RELAX change nothing.
Source: RISC-V ELF psABI, section 8.4 (Relocations).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from hgeisim.object.elf import Relocation, Symbol

NOTHING = {0, 43, 51}
"""R_RISCV_NONE, ALIGN, RELAX."""
PCREL_HI20, PCREL_LO12_I, PCREL_LO12_S = 23, 24, 25
PCREL_LO = {PCREL_LO12_I, PCREL_LO12_S}
ABSOLUTE = {1: 4, 2: 8, 54: 1, 55: 2, 56: 4}
"""32, 64, SET8, SET16, SET32: bytes that are replaced."""
ADDS = {33: 1, 34: 2, 35: 4, 36: 8}
SUBTRACTS = {37: 1, 38: 2, 39: 4, 40: 8}
SUB6, SET6, PCREL_32, SET_ULEB128, SUB_ULEB128 = 52, 53, 57, 60, 61


class CannotRelocate(ValueError):
    """A relocation of a kind that is not known, or out of range."""


def bits(value: int, high: int, low: int) -> int:
    """The bits high..low of a value."""
    return value >> low & ((1 << (high - low + 1)) - 1)


def u_type(word: int, value: int) -> int:
    """An instruction with a U immediate: the upper 20 bits, rounded for a signed lower part."""
    return word & 0xFFF | ((value + 0x800) & 0xFFFFF000)


def i_type(word: int, value: int) -> int:
    """An instruction with an I immediate."""
    return word & 0xFFFFF | bits(value, 11, 0) << 20


def s_type(word: int, value: int) -> int:
    """An instruction with an S immediate."""
    return word & 0x1FFF07F | bits(value, 11, 5) << 25 | bits(value, 4, 0) << 7


def b_type(word: int, value: int) -> int:
    """An instruction with a B immediate."""
    high = bits(value, 12, 12) << 31 | bits(value, 10, 5) << 25
    return word & 0x1FFF07F | high | bits(value, 4, 1) << 8 | bits(value, 11, 11) << 7


def j_type(word: int, value: int) -> int:
    """An instruction with a J immediate."""
    high = bits(value, 20, 20) << 31 | bits(value, 10, 1) << 21
    return word & 0xFFF | high | bits(value, 11, 11) << 20 | bits(value, 19, 12) << 12


def cb_type(half: int, value: int) -> int:
    """A compressed branch."""
    high = bits(value, 8, 8) << 12 | bits(value, 4, 3) << 10 | bits(value, 7, 6) << 5
    return half & 0xE383 | high | bits(value, 2, 1) << 3 | bits(value, 5, 5) << 2


def cj_type(half: int, value: int) -> int:
    """A compressed jump."""
    high = bits(value, 11, 11) << 12 | bits(value, 4, 4) << 11 | bits(value, 9, 8) << 9
    middle = bits(value, 10, 10) << 8 | bits(value, 6, 6) << 7 | bits(value, 7, 7) << 6
    return half & 0xE003 | high | middle | bits(value, 3, 1) << 3 | bits(value, 5, 5) << 2


INSTRUCTIONS: dict[int, tuple[Callable[[int, int], int], int, bool]] = {
    16: (b_type, 4, True),
    17: (j_type, 4, True),
    PCREL_HI20: (u_type, 4, True),
    26: (u_type, 4, False),
    27: (i_type, 4, False),
    28: (s_type, 4, False),
    44: (cb_type, 2, True),
    45: (cj_type, 2, True),
}
"""How each kind changes an instruction, the bytes of that, and whether the value is relative."""
CALLS = {18, 19}
"""CALL and CALL_PLT: auipc and jalr, one after the other."""


@dataclass
class Place:
    """The bytes of a section that get their addresses; `base` is where it lies in memory."""

    data: bytearray
    base: int

    def get(self, offset: int, size: int) -> int:
        """An unsigned value."""
        if not 0 <= offset <= len(self.data) - size:
            raise CannotRelocate(f"offset {offset:#x} is outside of its section")
        return int.from_bytes(self.data[offset : offset + size], "little")

    def put(self, offset: int, size: int, value: int) -> None:
        """Replace a value, cut to its size."""
        cut = value & ((1 << 8 * size) - 1)
        self.data[offset : offset + size] = cut.to_bytes(size, "little")


def relocate(
    place: Place, relocations: Iterable[Relocation], address_of: Callable[[Symbol], int]
) -> None:
    """Apply all relocations of a section.  Raises `CannotRelocate`."""
    relocations = tuple(relocations)
    high: dict[int, int] = {}
    for each in relocations:
        if each.kind == PCREL_HI20:
            here = place.base + each.offset
            high[here] = address_of(each.symbol) + each.addend - here
    for each in relocations:
        target = address_of(each.symbol)
        if each.kind in PCREL_LO:
            if target not in high:
                raise CannotRelocate(f"PCREL_LO12 at {each.offset:#x} without its PCREL_HI20")
            change = i_type if each.kind == PCREL_LO12_I else s_type
            place.put(each.offset, 4, change(place.get(each.offset, 4), high[target]))
        else:
            _apply(place, each.kind, each.offset, target + each.addend)


def _apply(place: Place, kind: int, at: int, value: int) -> None:
    relative = value - place.base - at
    if kind in NOTHING:
        return
    if kind in ABSOLUTE:
        place.get(at, ABSOLUTE[kind])
        place.put(at, ABSOLUTE[kind], value)
    elif kind in ADDS:
        place.put(at, ADDS[kind], place.get(at, ADDS[kind]) + value)
    elif kind in SUBTRACTS:
        place.put(at, SUBTRACTS[kind], place.get(at, SUBTRACTS[kind]) - value)
    elif kind in (SET6, SUB6):
        old = place.get(at, 1)
        low = value if kind == SET6 else old - value
        place.put(at, 1, old & 0xC0 | low & 0x3F)
    elif kind == PCREL_32:
        place.put(at, 4, relative)
    elif kind in CALLS:
        _check_range(relative, at)
        place.put(at, 4, u_type(place.get(at, 4), relative))
        place.put(at + 4, 4, i_type(place.get(at + 4, 4), relative))
    elif kind in INSTRUCTIONS:
        change, size, is_relative = INSTRUCTIONS[kind]
        wanted = relative if is_relative else value
        _check_range(wanted, at)
        place.put(at, size, change(place.get(at, size), wanted))
    elif kind in (SET_ULEB128, SUB_ULEB128):
        _uleb128(place, kind, at, value)
    else:
        raise CannotRelocate(f"relocation of kind {kind} at {at:#x} is not known")


def _check_range(value: int, at: int) -> None:
    if not -(1 << 31) <= value < 1 << 31:
        raise CannotRelocate(f"relocation at {at:#x} is out of range: {value:#x}")


def _uleb128(place: Place, kind: int, at: int, value: int) -> None:
    """SET_ULEB128 and SUB_ULEB128: a number in as many bytes as it has already."""
    length, old, shift = 0, 0, 0
    while True:
        byte = place.get(at + length, 1)
        old |= (byte & 0x7F) << shift
        length, shift = length + 1, shift + 7
        if not byte & 0x80:
            break
    new = value if kind == SET_ULEB128 else old - value
    for i in range(length):
        more = 0x80 if i < length - 1 else 0
        place.put(at + i, 1, new >> 7 * i & 0x7F | more)
