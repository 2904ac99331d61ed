"""Instructions of RV64: IMA, Zicsr, Zifencei, Zba and Zbb; compressed ones are in compressed.py.

Source: The RISC-V Instruction Set Manual, Volume I, chapter "RV32/64G Instruction Set Listings",
and the Bit-Manipulation extension.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

RA, SP, TP, A0 = 1, 2, 4, 10
ARGUMENTS = tuple(range(10, 18))
CALLEE_SAVED = (2, 3, 4, 8, 9, *range(18, 28))
CLOBBERED = (1, 5, 6, 7, *range(10, 18), 28, 29, 30, 31)
"""The registers that a called function may change (psABI, Integer Register Convention)."""


class Instruction(NamedTuple):
    """A decoded instruction, `size` bytes long; registers that it does not have are 0.

    `imm` is signed; of a CSR instruction it is the number of the CSR, and `rs1` may be an
    immediate.  `order` is "", ".aq", ".rl" or ".aqrl".
    """

    name: str
    rd: int = 0
    rs1: int = 0
    rs2: int = 0
    imm: int = 0
    size: int = 4
    order: str = ""

    @property
    def reads(self) -> frozenset[int]:
        """The registers that it reads."""
        if self.name in NO_SOURCE or (self.name.startswith("csr") and self.name.endswith("i")):
            return frozenset()
        return frozenset((self.rs1, self.rs2)) - {0}

    @property
    def writes(self) -> frozenset[int]:
        """The registers that it writes."""
        return frozenset((self.rd,)) - {0}


class UnknownInstruction(ValueError):
    """A word that is not an instruction of these extensions."""


NO_SOURCE = ("lui", "auipc", "jal", "fence", "fence.i", "ecall", "ebreak", "wfi")
R_TYPE = {
    (0, 0): "add", (32, 0): "sub", (0, 1): "sll", (0, 2): "slt", (0, 3): "sltu", (0, 4): "xor",
    (0, 5): "srl", (32, 5): "sra", (0, 6): "or", (0, 7): "and",
    (1, 0): "mul", (1, 1): "mulh", (1, 2): "mulhsu", (1, 3): "mulhu",
    (1, 4): "div", (1, 5): "divu", (1, 6): "rem", (1, 7): "remu",
    (16, 2): "sh1add", (16, 4): "sh2add", (16, 6): "sh3add",
    (32, 7): "andn", (32, 6): "orn", (32, 4): "xnor", (5, 4): "min", (5, 5): "minu",
    (5, 6): "max", (5, 7): "maxu", (48, 1): "rol", (48, 5): "ror",
    (7, 5): "czero.eqz", (7, 7): "czero.nez",
}  # fmt: skip
R_TYPE_W = {
    (0, 0): "addw", (32, 0): "subw", (0, 1): "sllw", (0, 5): "srlw", (32, 5): "sraw",
    (1, 0): "mulw", (1, 4): "divw", (1, 5): "divuw", (1, 6): "remw", (1, 7): "remuw",
    (4, 0): "add.uw", (16, 2): "sh1add.uw", (16, 4): "sh2add.uw", (16, 6): "sh3add.uw",
    (48, 1): "rolw", (48, 5): "rorw",
}  # fmt: skip
I_TYPE = {0: "addi", 2: "slti", 3: "sltiu", 4: "xori", 6: "ori", 7: "andi"}
SHIFTS = {(1, 0): "slli", (5, 0): "srli", (5, 16): "srai", (5, 24): "rori"}
SHIFTS_W = {(1, 0): "slliw", (5, 0): "srliw", (5, 32): "sraiw", (5, 48): "roriw"}
ONE_SOURCE = {
    (0x13, 1, 0x600): "clz", (0x13, 1, 0x601): "ctz", (0x13, 1, 0x602): "cpop",
    (0x13, 1, 0x604): "sext.b", (0x13, 1, 0x605): "sext.h",
    (0x13, 5, 0x287): "orc.b", (0x13, 5, 0x6B8): "rev8",
    (0x1B, 1, 0x600): "clzw", (0x1B, 1, 0x601): "ctzw", (0x1B, 1, 0x602): "cpopw",
    (0x3B, 4, 0x080): "zext.h",
}  # fmt: skip
"""Instructions of Zbb whose upper 12 bits are part of the operation."""
LOADS = {0: "lb", 1: "lh", 2: "lw", 3: "ld", 4: "lbu", 5: "lhu", 6: "lwu"}
STORES = {0: "sb", 1: "sh", 2: "sw", 3: "sd"}
BRANCHES = {0: "beq", 1: "bne", 4: "blt", 5: "bge", 6: "bltu", 7: "bgeu"}
CSRS = {1: "csrrw", 2: "csrrs", 3: "csrrc", 5: "csrrwi", 6: "csrrsi", 7: "csrrci"}
SYSTEM = {0: "ecall", 1: "ebreak", 0x105: "wfi"}
ATOMICS = {
    0: "amoadd", 1: "amoswap", 2: "lr", 3: "sc", 4: "amoxor", 8: "amoor", 12: "amoand",
    16: "amomin", 20: "amomax", 24: "amominu", 28: "amomaxu",
}  # fmt: skip
ORDERS = ("", ".rl", ".aq", ".aqrl")
WIDTHS = {2: ".w", 3: ".d"}
SIZES = {
    "lb": 1, "lh": 2, "lw": 4, "ld": 8, "lbu": 1, "lhu": 2, "lwu": 4,
    "sb": 1, "sh": 2, "sw": 4, "sd": 8,
}  # fmt: skip
"""The bytes that a load or a store moves."""


def signed(value: int, width: int) -> int:
    """A field of `width` bits as a signed number."""
    low = value & ((1 << width) - 1)
    return low - (1 << width) if low >> (width - 1) else low


@cache
def decode(word: int) -> Instruction:
    """The instruction of 32 bits that a word is.  Raises `UnknownInstruction`."""
    opcode, rd, rs1 = word & 0x7F, word >> 7 & 31, word >> 15 & 31
    made = _decoded(word, opcode, word >> 12 & 7)
    if made is None:
        raise UnknownInstruction(f"{word:#010x} is not an instruction that hgeisim knows")
    name, rs2, imm = made
    if opcode in (0x23, 0x63):
        rd = 0
    if name in NO_SOURCE:
        rs1 = 0
    order = ORDERS[word >> 25 & 3] if opcode == 0x2F else ""
    return Instruction(name, rd, rs1, rs2, imm, 4, order)


def _decoded(word: int, opcode: int, funct3: int) -> tuple[str, int, int] | None:
    """The name, the second source register and the immediate."""
    rs2, imm = word >> 20 & 31, signed(word >> 20, 12)
    name: str | None
    one = ONE_SOURCE.get((opcode, funct3, word >> 20 & 0xFFF))
    if one:
        return one, 0, 0
    match opcode:
        case 0x33 | 0x3B:
            table = R_TYPE if opcode == 0x33 else R_TYPE_W
            return _if(table.get((word >> 25, funct3)), rs2, 0)
        case 0x13 | 0x1B:
            return _immediate(word, opcode, funct3)
        case 0x03:
            return _if(LOADS.get(funct3), 0, imm)
        case 0x23:
            return _if(STORES.get(funct3), rs2, signed(word >> 25 << 5 | word >> 7 & 31, 12))
        case 0x63:
            return _if(BRANCHES.get(funct3), rs2, _branch(word))
        case 0x6F:
            return "jal", 0, _jump(word)
        case 0x67:
            return _if("jalr" if funct3 == 0 else None, 0, imm)
        case 0x37 | 0x17:
            return "lui" if opcode == 0x37 else "auipc", 0, signed(word & ~0xFFF, 32)
        case 0x0F:
            return _if({0: "fence", 1: "fence.i"}.get(funct3), 0, word >> 20 & 0xFF)
        case 0x73:
            name = CSRS.get(funct3) if funct3 else SYSTEM.get(word >> 20)
            return _if(name, 0, word >> 20 if funct3 else 0)
        case 0x2F:
            name, width = ATOMICS.get(word >> 27), WIDTHS.get(funct3)
            return _if(name and width and name + width, rs2, 0)
    return None


def _if(name: str | None, rs2: int, imm: int) -> tuple[str, int, int] | None:
    return (name, rs2, imm) if name else None


def _immediate(word: int, opcode: int, funct3: int) -> tuple[str, int, int] | None:
    if opcode == 0x13:
        if funct3 in I_TYPE:
            return I_TYPE[funct3], 0, signed(word >> 20, 12)
        return _if(SHIFTS.get((funct3, word >> 26)), 0, word >> 20 & 63)
    if funct3 == 0:
        return "addiw", 0, signed(word >> 20, 12)
    if funct3 == 1 and word >> 26 == 2:
        return "slli.uw", 0, word >> 20 & 63
    return _if(SHIFTS_W.get((funct3, word >> 25)), 0, word >> 20 & 31)


def _branch(word: int) -> int:
    high = (word >> 31) << 12 | (word >> 7 & 1) << 11
    return signed(high | (word >> 25 & 63) << 5 | (word >> 8 & 15) << 1, 13)


def _jump(word: int) -> int:
    high = (word >> 31) << 20 | (word >> 12 & 255) << 12 | (word >> 20 & 1) << 11
    return signed(high | (word >> 21 & 1023) << 1, 21)
