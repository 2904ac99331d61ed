"""The instructions of an image by their address, and which registers are live before each.

A register that is written before it is read again is dead: two suspended functions that differ only
in dead registers behave alike (backward data flow over each function, as for Python's locals in
hgeisim/drivers/explored/model/frames.py).
"""

from __future__ import annotations

from collections.abc import Iterator

from hgeisim.object.compressed import LONG, expand
from hgeisim.object.image import Function, Image
from hgeisim.object.instruction import (
    A0,
    ARGUMENTS,
    BRANCHES,
    CALLEE_SAVED,
    CLOBBERED,
    RA,
    Instruction,
    UnknownInstruction,
    decode,
)

ALL = frozenset(range(1, 32))
RETURNED = frozenset((*CALLEE_SAVED, A0, A0 + 1))
"""The registers that matter once a function has returned."""
PASSED = frozenset((RA, *CALLEE_SAVED, *ARGUMENTS))
"""The registers that matter to a function that is jumped to."""


class Code:
    """The code of an image."""

    def __init__(self, image: Image) -> None:
        self.image = image
        self._instructions: dict[int, Instruction] = {}
        self._live: dict[int, frozenset[int]] = {}

    def at(self, address: int) -> Instruction:
        """The instruction at an address.

        Raises `UnknownInstruction` where there is none, or one that hgeisim does not know.
        """
        found = self._instructions.get(address)
        if found is None:
            found = self._instructions[address] = self._decode(address)
        return found

    def _decode(self, address: int) -> Instruction:
        segment = self.image.segment(address)
        low = self.image.initial(address, 2)
        if low is None or segment is None or not segment.section.is_code or address & 1:
            raise UnknownInstruction(f"there is no code at {address:#x}")
        if low & LONG != LONG:
            return expand(low)
        word = self.image.initial(address, 4)
        if word is None:
            raise UnknownInstruction(f"the instruction at {address:#x} is cut short")
        return decode(word)

    def of(self, function: Function) -> Iterator[tuple[int, Instruction]]:
        """The instructions of a function, with their addresses."""
        at = function.address
        while at < function.address + function.size:
            found = self.at(at)
            yield at, found
            at += found.size

    def is_tail_call(self, site: int, target: int) -> bool:
        """Whether a jump leads to the beginning of another function; the cold part of a function,
        f.cold, belongs to it."""
        here, there = self.image.function_at(site), self.image.function_at(target)
        if here is None or there is None or there.address != target or here == there:
            return False
        return here.name.partition(".")[0] != there.name.partition(".")[0]

    def live(self, address: int) -> frozenset[int]:
        """The registers that are live before the instruction at an address; all of them where no
        function is known, or one that has an unknown instruction."""
        found = self._live.get(address)
        if found is None:
            function = self.image.function_at(address)
            if function is not None:
                self._live |= self._flow(function)
            found = self._live.setdefault(address, ALL)
        return found

    def _flow(self, function: Function) -> dict[int, frozenset[int]]:
        try:
            program = list(self.of(function))
        except UnknownInstruction:
            return {}
        live = {at: frozenset[int]() for at, _ in program}
        changed = True
        while changed:
            changed = False
            for at, each in reversed(program):
                before = self._before(at, each, live)
                changed |= before != live[at]
                live[at] = before
        return live

    def _before(
        self, at: int, each: Instruction, live: dict[int, frozenset[int]]
    ) -> frozenset[int]:
        """The registers that are live before an instruction, from those that are live after it."""
        falls = live.get(at + each.size, ALL)
        if each.name in BRANCHES.values():
            after = falls | live.get(at + each.imm, PASSED)
        elif each.name in ("jal", "jalr"):
            after = self._after_jump(at, each, live, falls)
        else:
            after = (falls - each.writes) | each.reads
        branch = self.image.static_branches.get(at)
        if branch is not None:
            after |= live.get(branch.target, ALL) | falls
        return after | each.reads

    @staticmethod
    def _after_jump(
        at: int, each: Instruction, live: dict[int, frozenset[int]], falls: frozenset[int]
    ) -> frozenset[int]:
        if each.rd:  # a call
            return (falls - frozenset(CLOBBERED)) | frozenset(ARGUMENTS)
        if each.name == "jal":
            return live.get(at + each.imm, PASSED)
        return RETURNED if each.rs1 == RA else ALL
