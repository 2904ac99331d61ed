"""Compressed instructions (extension C of RV64), as the long ones that they stand for.

Source: The RISC-V Instruction Set Manual, Volume I, chapter "C" Standard Extension.
"""

from __future__ import annotations

from functools import cache

from hgeisim.object.instruction import RA, SP, Instruction, UnknownInstruction, signed

LONG = 3
"""The lowest two bits of an instruction that is not compressed."""


def field(half: int, *pieces: tuple[int, int, int]) -> int:
    """A number whose bits are scattered: of each piece the highest and the lowest bit in the
    instruction, and where the lowest one goes."""
    value = 0
    for high, low, to in pieces:
        value |= (half >> low & ((1 << (high - low + 1)) - 1)) << to
    return value


@cache
def expand(half: int) -> Instruction:
    """The instruction that 16 bits stand for.  Raises `UnknownInstruction`."""
    made = (_quadrant_0, _quadrant_1, _quadrant_2)[half & 3](half, half >> 13) if half else None
    if made is None:
        raise UnknownInstruction(f"{half:#06x} is not an instruction that hgeisim knows")
    return made._replace(size=2)


def _quadrant_0(half: int, funct3: int) -> Instruction | None:
    base, other = 8 + field(half, (9, 7, 0)), 8 + field(half, (4, 2, 0))
    word = field(half, (12, 10, 3), (6, 6, 2), (5, 5, 6))
    double = field(half, (12, 10, 3), (6, 5, 6))
    match funct3:
        case 0:
            imm = field(half, (12, 11, 4), (10, 7, 6), (6, 6, 2), (5, 5, 3))
            return Instruction("addi", other, SP, 0, imm) if imm else None
        case 2:
            return Instruction("lw", other, base, 0, word)
        case 3:
            return Instruction("ld", other, base, 0, double)
        case 6:
            return Instruction("sw", 0, base, other, word)
        case 7:
            return Instruction("sd", 0, base, other, double)
    return None


def _quadrant_1(half: int, funct3: int) -> Instruction | None:
    rd, imm = field(half, (11, 7, 0)), signed(field(half, (12, 12, 5), (6, 2, 0)), 6)
    match funct3:
        case 0:
            return Instruction("addi", rd, rd, 0, imm)
        case 1:
            return Instruction("addiw", rd, rd, 0, imm) if rd else None
        case 2:
            return Instruction("addi", rd, 0, 0, imm)
        case 3:
            return _upper(half, rd, imm)
        case 4:
            return _arithmetic(half)
        case 5:
            return Instruction("jal", 0, imm=_jump(half))
    rs1 = 8 + field(half, (9, 7, 0))
    offset = field(half, (12, 12, 8), (11, 10, 3), (6, 5, 6), (4, 3, 1), (2, 2, 5))
    return Instruction("beq" if funct3 == 6 else "bne", 0, rs1, 0, signed(offset, 9))


def _upper(half: int, rd: int, imm: int) -> Instruction | None:
    if rd == SP:
        by = field(half, (12, 12, 9), (6, 6, 4), (5, 5, 6), (4, 3, 7), (2, 2, 5))
        return Instruction("addi", SP, SP, 0, signed(by, 10)) if by else None
    return Instruction("lui", rd, imm=imm << 12) if imm else None


def _jump(half: int) -> int:
    pieces = ((12, 12, 11), (11, 11, 4), (10, 9, 8), (8, 8, 10), (7, 7, 6), (6, 6, 7))
    return signed(field(half, *pieces, (5, 3, 1), (2, 2, 5)), 12)


def _arithmetic(half: int) -> Instruction | None:
    rd, rs2 = 8 + field(half, (9, 7, 0)), 8 + field(half, (4, 2, 0))
    shift, kind = field(half, (12, 12, 5), (6, 2, 0)), field(half, (11, 10, 0))
    if kind < 2:
        return Instruction("srai" if kind else "srli", rd, rd, 0, shift)
    if kind == 2:
        return Instruction("andi", rd, rd, 0, signed(shift, 6))
    names = ("sub", "xor", "or", "and", "subw", "addw")
    which = field(half, (12, 12, 2), (6, 5, 0))
    return Instruction(names[which], rd, rd, rs2) if which < len(names) else None


def _quadrant_2(half: int, funct3: int) -> Instruction | None:
    rd, rs2 = field(half, (11, 7, 0)), field(half, (6, 2, 0))
    match funct3:
        case 0:
            return Instruction("slli", rd, rd, 0, field(half, (12, 12, 5), (6, 2, 0)))
        case 2 if rd:
            return Instruction("lw", rd, SP, 0, field(half, (12, 12, 5), (6, 4, 2), (3, 2, 6)))
        case 3 if rd:
            return Instruction("ld", rd, SP, 0, field(half, (12, 12, 5), (6, 5, 3), (4, 2, 6)))
        case 4:
            return _register(half >> 12 & 1, rd, rs2)
        case 6:
            return Instruction("sw", 0, SP, rs2, field(half, (12, 9, 2), (8, 7, 6)))
        case 7:
            return Instruction("sd", 0, SP, rs2, field(half, (12, 10, 3), (9, 7, 6)))
    return None


def _register(bit: int, rd: int, rs2: int) -> Instruction | None:
    """c.jr, c.mv, c.ebreak, c.jalr, c.add."""
    if rs2:
        return Instruction("add", rd, rd if bit else 0, rs2)
    if rd:
        return Instruction("jalr", RA if bit else 0, rd)
    return Instruction("ebreak") if bit else None
