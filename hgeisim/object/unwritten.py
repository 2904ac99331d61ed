"""The words of a stack that a function has never written, and values that were loaded from them.

To copy such a value is allowed, for a struct may have parts that nobody uses; to branch on it, to
take it for an address or to put it into a CSR is a mistake.  A word counts as written once any of
its bytes was, or once the result of a computation with it was stored: bit fields are set like that.
"""

from __future__ import annotations

from typing import NamedTuple

from hgeisim.object.arithmetic import CONDITIONS
from hgeisim.object.instruction import SIZES, Instruction

WORD_SHIFT = 3


class Unwritten(NamedTuple):
    """Sets of bits: word n below the top of the stack; registers that have a copy of such a word;
    registers with what was computed from one."""

    words: int = 0
    copies: int = 0
    computed: int = 0


class Tracker:
    """The same while instructions are executed; `top` is that of the stack."""

    def __init__(self, top: int, before: Unwritten) -> None:
        self.top = top
        self.words, self.copies, self.computed = before

    def grow(self, old: int, new: int) -> None:
        """The stack pointer moves; what it uncovers on its way down is not written yet."""
        if new < old:
            below, above = self.top - new >> WORD_SHIFT, self.top - old >> WORD_SHIFT
            self.words |= (1 << below) - (1 << above)

    def _bits(self, address: int, size: int) -> int:
        first, last = (self.top - 1 - at >> WORD_SHIFT for at in (address + size - 1, address))
        return (1 << last + 1) - (1 << first)

    def load(self, address: int, size: int, register: int) -> None:
        """A register that was set gets what lies there."""
        bits = self._bits(address, size)
        if bits & self.words == bits:
            self.copies |= 1 << register & ~1

    def store(self, address: int, size: int, register: int = 0) -> None:
        """A register is stored, or a value that is known to be written."""
        bits = self._bits(address, size)
        if self.copies >> register & 1:
            self.words |= bits if size == 1 << WORD_SHIFT else 0
        else:
            self.words &= ~bits

    def set(self, register: int) -> None:
        """A register gets a value from elsewhere."""
        self.copies &= ~(1 << register)
        self.computed &= ~(1 << register)

    def compute(self, it: Instruction) -> None:
        """An instruction computes a value of registers."""
        if not self.copies | self.computed:
            return
        bits = self.copies | self.computed
        copy = it.name in ("addi", "addiw") and it.imm == 0 and self.copies >> it.rs1 & 1
        tainted = bits >> it.rs1 & 1 or bits >> it.rs2 & 1
        self.set(it.rd)
        if copy:
            self.copies |= 1 << it.rd & ~1
        elif tainted and it.reads:
            self.computed |= 1 << it.rd & ~1

    def is_relied_on(self, it: Instruction) -> bool:
        """Whether an instruction needs to know such a value."""
        bits = self.copies | self.computed
        if not bits:
            return False
        if it.name in CONDITIONS:
            return bool(bits >> it.rs1 & 1 or bits >> it.rs2 & 1)
        to_csr = it.name.startswith("csr") and not it.name.endswith("i")
        address = it.name in SIZES or it.name == "jalr" or it.name[:2] in ("am", "lr", "sc")
        return bool((to_csr or address) and bits >> it.rs1 & 1)

    def kept(self, sp: int, live: frozenset[int]) -> Unwritten:
        """The state of it at a request; dead registers do not matter."""
        within = (1 << (self.top - sp >> WORD_SHIFT)) - 1
        alive = sum(1 << each for each in live)
        return Unwritten(self.words & within, self.copies & alive, self.computed & alive)


NOTHING = Unwritten()
