"""States as short byte strings: each cell's values are numbered in the order they are first seen.

A state of a hundred cells is then a hundred bytes, which Python hashes, compares and copies much
faster than a tuple of integers, and takes a tenth of the memory.  Most cells of a system are never
written; those need no place in a state at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

CODES_MAX = 256


class CodebookFull(Exception):
    """A cell took more than 256 values: the system is too wide for exploration."""


class Codebook:
    """Translates between the cells of a memory and states.

    `start` are all cells as they are at the start, `names` what they are called.  A state has a
    byte for each address in `places`, which maps it to its index there; the other cells stay as
    they are at the start.
    """

    def __init__(self, start: Sequence[int], names: Sequence[str], live: Iterable[int]) -> None:
        self.start, self.names = list(start), names
        self.addresses = sorted(live)
        self.places = {address: place for place, address in enumerate(self.addresses)}
        self.values = [[start[address]] for address in self.addresses]
        self.codes = [{start[address]: 0} for address in self.addresses]

    def code(self, place: int, value: int) -> int:
        """The code of a value at a place, given out if it is new."""
        codes = self.codes[place]
        code = codes.get(value)
        if code is None:
            code = len(codes)
            if code == CODES_MAX:
                name = self.names[self.addresses[place]]
                raise CodebookFull(f"{name} took more than {CODES_MAX} values")
            codes[value] = code
            self.values[place].append(value)
        return code

    def initial(self) -> bytes:
        """The state at the start."""
        return bytes(len(self.addresses))

    def decode(self, state: bytes) -> list[int]:
        """The cells of a state."""
        cells = self.start.copy()
        for address, values, code in zip(self.addresses, self.values, state, strict=True):
            cells[address] = values[code]
        return cells
