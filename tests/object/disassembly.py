"""Decoded instructions as text, in the form of `objdump -d -M no-aliases`."""

from __future__ import annotations

from hgeisim.object.instruction import (
    BRANCHES,
    LOADS,
    NO_SOURCE,
    ONE_SOURCE,
    STORES,
    Instruction,
)

NAMES = (
    "zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1",
    *(f"a{i}" for i in range(8)), *(f"s{i}" for i in range(2, 12)),
    *(f"t{i}" for i in range(3, 7)),
)  # fmt: skip
CSRS = {
    0x100: "sstatus", 0x104: "sie", 0x144: "sip", 0x600: "hstatus", 0x604: "hie", 0x607: "hgeie",
    0x608: "hvien", 0x609: "hvictl", 0x646: "hviprio1", 0x647: "hviprio2", 0xE12: "hgeip",
    0x250: "vsiselect", 0x251: "vsireg", 0x35C: "mtopei", 0x204: "vsie", 0x25C: "vstopei",
}  # fmt: skip
FENCE = "iorw"


def text(it: Instruction, at: int) -> str:
    """An instruction at an address, as the disassembler writes it."""
    rd, rs1, rs2 = NAMES[it.rd], NAMES[it.rs1], NAMES[it.rs2]
    name = it.name + it.order
    if it.name in LOADS.values() or it.name == "jalr":
        return f"{name} {rd},{it.imm}({rs1})"
    if it.name in STORES.values():
        return f"{name} {rs2},{it.imm}({rs1})"
    if it.name in BRANCHES.values():
        return f"{name} {rs1},{rs2},{at + it.imm:x}"
    if it.name == "jal":
        return f"{name} {rd},{at + it.imm:x}"
    if it.name in ("lui", "auipc"):
        return f"{name} {rd},{it.imm >> 12 & 0xFFFFF:#x}"
    if it.name == "fence":
        return f"{name} {_fence(it.imm >> 4)},{_fence(it.imm)}"
    if it.name in NO_SOURCE:
        return name
    if it.name.startswith("csr"):
        csr = CSRS.get(it.imm, f"{it.imm:#x}")
        return f"{name} {rd},{csr},{it.rs1 if it.name.endswith('i') else rs1}"
    if it.name.startswith("lr."):
        return f"{name} {rd},({rs1})"
    if it.name.startswith(("amo", "sc.")):
        return f"{name} {rd},{rs2},({rs1})"
    if it.name in ONE_SOURCE.values():
        return f"{name} {rd},{rs1}"
    return f"{name} {rd},{rs1},{_last(it)}"


def _fence(bits: int) -> str:
    return "".join(letter for i, letter in enumerate(FENCE) if bits >> (3 - i) & 1)


def _last(it: Instruction) -> str:
    immediate = it.name in IMMEDIATE
    if not immediate:
        return NAMES[it.rs2]
    return hex(it.imm) if it.name in SHIFTED else str(it.imm)


SHIFTED = ("slli", "srli", "srai", "rori", "slliw", "srliw", "sraiw", "roriw", "slli.uw")
IMMEDIATE = ("addi", "slti", "sltiu", "xori", "ori", "andi", "addiw", *SHIFTED)


def expanded(text: str) -> str:
    """The disassembler's text of a compressed instruction, as of the long one that it is."""
    name, _, rest = text.partition(" ")
    if not name.startswith("c."):
        return text
    name, a = name[2:], rest.split(",")
    match name:
        case "mv":
            return f"add {a[0]},zero,{a[1]}"
        case "li":
            return f"addi {a[0]},zero,{a[1]}"
        case "lui":
            return f"lui {rest}"
        case "nop":
            return "addi zero,zero,0"
        case "j":
            return f"jal zero,{rest}"
        case "jr" | "jalr":
            return f"jalr {'zero' if name == 'jr' else 'ra'},0({rest})"
        case "beqz" | "bnez":
            return f"{name[:3]} {a[0]},zero,{a[1]}"
        case "addi16sp" | "addi4spn":
            return f"addi {a[0]},sp,{a[-1]}"
        case "ldsp" | "sdsp" | "lwsp" | "swsp" | "ld" | "sd" | "lw" | "sw":
            return f"{name[:2]} {rest}"
        case "ebreak":
            return name
    return f"{name} {a[0]},{a[0]},{a[1]}"
