"""States as short byte strings: each cell's values are numbered in the order they are first seen.

A state of a hundred cells is then a hundred bytes, which Python hashes, compares and copies much
faster than a tuple of integers, and takes a tenth of the memory.
"""

from __future__ import annotations

from hgeisim.machine.shared import Memory

CODES_MAX = 256


class CodebookFull(Exception):
    """A cell took more than 256 values: the system is too wide for exploration."""


class Codebook:
    """Translates between the cells of a memory and states."""

    def __init__(self, memory: Memory) -> None:
        self.names = memory.names
        self.values: list[list[int]] = [[value] for value in memory.cells]
        self.codes: list[dict[int, int]] = [{value: 0} for value in memory.cells]

    def code(self, address: int, value: int) -> int:
        """The code of a value of a cell, given out if it is new."""
        codes = self.codes[address]
        code = codes.get(value)
        if code is None:
            code = len(codes)
            if code == CODES_MAX:
                raise CodebookFull(f"{self.names[address]} took more than {CODES_MAX} values")
            codes[value] = code
            self.values[address].append(value)
        return code

    def initial(self) -> bytes:
        """The state that the memory was in when the codebook was made."""
        return bytes(len(self.values))

    def decode(self, state: bytes) -> list[int]:
        """The cells of a state."""
        return [values[code] for values, code in zip(self.values, state, strict=True)]
