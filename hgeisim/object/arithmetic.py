"""The results of all instructions without memory, jumps and CSRs, on words of 64 bits.

Source: The RISC-V Instruction Set Manual, Volume I: RV64I, M, Zicond; Zba, Zbb.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from hgeisim.object.instruction import signed

WORD = (1 << 64) - 1
HALF = (1 << 32) - 1
Operation: TypeAlias = Callable[[int, int], int]


def s64(value: int) -> int:
    """A word as a signed number."""
    return signed(value, 64)


def s32(value: int) -> int:
    """The lower half of a word as a signed number, which is how RV64 keeps an int."""
    return signed(value, 32)


def quotient(x: int, y: int) -> int:
    """Signed division, which rounds to 0 and never traps: by 0 it is -1."""
    if y == 0:
        return -1
    return abs(x) // abs(y) * (1 if (x < 0) == (y < 0) else -1)


def remainder(x: int, y: int) -> int:
    """The remainder of that, with the sign of the dividend; by 0 the dividend itself."""
    return x if y == 0 else x - y * quotient(x, y)


def rotated(value: int, by: int, width: int) -> int:
    """A number of some bits rotated right."""
    by %= width
    low = value & ((1 << width) - 1)
    return low >> by | low << (width - by)


def leading_zeros(value: int, width: int) -> int:
    """The zeros above the highest bit set; all bits for 0."""
    return width - value.bit_length()


def trailing_zeros(value: int, width: int) -> int:
    """The zeros below the lowest bit set; all bits for 0."""
    return (value & -value).bit_length() - 1 if value else width


def or_combined(value: int) -> int:
    """Each byte that is not 0 becomes 0xff."""
    return sum(0xFF << 8 * i for i in range(8) if value >> 8 * i & 0xFF)


def bytes_swapped(value: int) -> int:
    """The bytes in the opposite order."""
    return int.from_bytes(value.to_bytes(8, "little"), "big")


BASE: dict[str, Operation] = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "sll": lambda x, y: x << (y & 63),
    "srl": lambda x, y: x >> (y & 63),
    "sra": lambda x, y: s64(x) >> (y & 63),
    "slt": lambda x, y: int(s64(x) < s64(y)),
    "sltu": lambda x, y: int(x < y),
    "xor": lambda x, y: x ^ y,
    "or": lambda x, y: x | y,
    "and": lambda x, y: x & y,
    "addw": lambda x, y: s32(x + y),
    "subw": lambda x, y: s32(x - y),
    "sllw": lambda x, y: s32(x << (y & 31)),
    "srlw": lambda x, y: s32((x & HALF) >> (y & 31)),
    "sraw": lambda x, y: s32(x) >> (y & 31),
}
MULTIPLICATION: dict[str, Operation] = {
    "mul": lambda x, y: x * y,
    "mulh": lambda x, y: s64(x) * s64(y) >> 64,
    "mulhsu": lambda x, y: s64(x) * y >> 64,
    "mulhu": lambda x, y: x * y >> 64,
    "div": lambda x, y: quotient(s64(x), s64(y)),
    "divu": lambda x, y: x // y if y else WORD,
    "rem": lambda x, y: remainder(s64(x), s64(y)),
    "remu": lambda x, y: x % y if y else x,
    "mulw": lambda x, y: s32(x * y),
    "divw": lambda x, y: s32(quotient(s32(x), s32(y))),
    "divuw": lambda x, y: s32((x & HALF) // (y & HALF)) if y & HALF else -1,
    "remw": lambda x, y: remainder(s32(x), s32(y)),
    "remuw": lambda x, y: s32((x & HALF) % (y & HALF) if y & HALF else x),
}
BITS: dict[str, Operation] = {
    "sh1add": lambda x, y: (x << 1) + y,
    "sh2add": lambda x, y: (x << 2) + y,
    "sh3add": lambda x, y: (x << 3) + y,
    "add.uw": lambda x, y: (x & HALF) + y,
    "sh1add.uw": lambda x, y: ((x & HALF) << 1) + y,
    "sh2add.uw": lambda x, y: ((x & HALF) << 2) + y,
    "sh3add.uw": lambda x, y: ((x & HALF) << 3) + y,
    "sll.uw": lambda x, y: (x & HALF) << (y & 63),
    "andn": lambda x, y: x & ~y,
    "orn": lambda x, y: x | ~y,
    "xnor": lambda x, y: ~(x ^ y),
    "min": lambda x, y: min(s64(x), s64(y)),
    "max": lambda x, y: max(s64(x), s64(y)),
    "minu": min,
    "maxu": max,
    "ror": lambda x, y: rotated(x, y, 64),
    "rol": lambda x, y: rotated(x, -y, 64),
    "rorw": lambda x, y: s32(rotated(x, y, 32)),
    "rolw": lambda x, y: s32(rotated(x, -y, 32)),
    "clz": lambda x, y: leading_zeros(x, 64),
    "ctz": lambda x, y: trailing_zeros(x, 64),
    "cpop": lambda x, y: x.bit_count(),
    "clzw": lambda x, y: leading_zeros(x & HALF, 32),
    "ctzw": lambda x, y: trailing_zeros(x & HALF, 32),
    "cpopw": lambda x, y: (x & HALF).bit_count(),
    "sext.b": lambda x, y: signed(x, 8),
    "sext.h": lambda x, y: signed(x, 16),
    "zext.h": lambda x, y: x & 0xFFFF,
    "orc.b": lambda x, y: or_combined(x),
    "rev8": lambda x, y: bytes_swapped(x),
    "czero.eqz": lambda x, y: x if y else 0,
    "czero.nez": lambda x, y: 0 if y else x,
}
OPERATIONS: dict[str, Operation] = BASE | MULTIPLICATION | BITS
"""The instructions of two sources, or of one; the result is cut to 64 bits."""
IMMEDIATES: dict[str, Operation] = {
    "addi": BASE["add"], "slti": BASE["slt"], "sltiu": BASE["sltu"], "xori": BASE["xor"],
    "ori": BASE["or"], "andi": BASE["and"], "addiw": BASE["addw"],
    "slli": BASE["sll"], "srli": BASE["srl"], "srai": BASE["sra"], "rori": BITS["ror"],
    "slliw": BASE["sllw"], "srliw": BASE["srlw"], "sraiw": BASE["sraw"], "roriw": BITS["rorw"],
    "slli.uw": BITS["sll.uw"],
}  # fmt: skip
"""The instructions of a source and an immediate."""
CONDITIONS: dict[str, Callable[[int, int], bool]] = {
    "beq": lambda x, y: x == y,
    "bne": lambda x, y: x != y,
    "blt": lambda x, y: s64(x) < s64(y),
    "bge": lambda x, y: s64(x) >= s64(y),
    "bltu": lambda x, y: x < y,
    "bgeu": lambda x, y: x >= y,
}
"""When a branch is taken."""
COMBINATIONS: dict[str, Operation] = {
    "amoswap": lambda old, y: y,
    "amoadd": BASE["add"], "amoxor": BASE["xor"], "amoor": BASE["or"], "amoand": BASE["and"],
    "amomin": BITS["min"], "amomax": BITS["max"], "amominu": min, "amomaxu": max,
}  # fmt: skip
"""What an atomic instruction stores, from what it loaded and its source (extension A)."""
