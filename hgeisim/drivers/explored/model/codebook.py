"""States as short byte strings: each cell's values are numbered in the order they are first seen.

A state of a hundred cells is then a hundred bytes, which Python hashes, compares and copies much
faster than a tuple of integers, in a tenth of the memory.  Most cells of a system are never written
and need no place in a state at all.  The few that take more than 256 values, such as the position
in a long path, have a second byte behind the first bytes of all cells.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from itertools import compress
from typing import TypeAlias

CODES_MAX = 256
"""Values of a cell with one byte."""
WIDE_CODES_MAX = CODES_MAX**2
"""Values of a cell with two bytes."""

Code: TypeAlias = tuple[tuple[int, int], ...]
"""The place and the byte of a value, or two such pairs."""


class TooNarrow(Exception):
    """A cell with one byte took more than 256 values; `address` says which."""

    def __init__(self, address: int) -> None:
        self.address = address
        super().__init__(address)


class CodebookFull(Exception):
    """A cell took more than 65,536 values: the system is too wide for exploration."""


class Codebook:
    """Translates between the cells of a memory and states.

    `start` has all cells as they are at the start, `names` their names.  A state has a byte for
    each of the `live` addresses, and a second one for those that are `wide`; the other cells never
    change.  `places` maps an address to the places of its bytes, the low one first.
    """

    def __init__(
        self,
        start: Sequence[int],
        names: Sequence[str],
        live: Iterable[int],
        wide: Collection[int] = (),
    ) -> None:
        self.start, self.names = list(start), names
        self.addresses = sorted(live)
        self.places: dict[int, tuple[int, ...]] = {
            address: (place,) for place, address in enumerate(self.addresses)
        }
        for high, address in enumerate(filter(wide.__contains__, self.addresses)):
            self.places[address] += (len(self.addresses) + high,)
        self._owners = [*self.addresses, *filter(wide.__contains__, self.addresses)]
        self.values = [[start[address]] for address in self.addresses]
        self.codes = [{start[address]: 0} for address in self.addresses]

    @property
    def size(self) -> int:
        """How many bytes a state has."""
        return sum(map(len, self.places.values()))

    def code(self, address: int, value: int) -> Code:
        """The code of a cell's value, a new one if the value is new.

        Raises `TooNarrow` or `CodebookFull` if no code is left.
        """
        places = self.places[address]
        codes = self.codes[places[0]]
        code = codes.get(value)
        if code is None:
            code = self._new(address, value)
        return tuple((place, code >> 8 * byte & 255) for byte, place in enumerate(places))

    def _new(self, address: int, value: int) -> int:
        places = self.places[address]
        codes = self.codes[places[0]]
        code = len(codes)
        if code == WIDE_CODES_MAX:
            name = self.names[address]
            raise CodebookFull(f"{name} took more than {WIDE_CODES_MAX:,} values")
        if code == CODES_MAX and len(places) == 1:
            raise TooNarrow(address)
        codes[value] = code
        self.values[places[0]].append(value)
        return code

    def crowded(self) -> list[int]:
        """The addresses that need a second byte for the values seen so far."""
        seen = zip(self.addresses, self.values, strict=True)
        return [address for address, values in seen if len(values) > CODES_MAX]

    def initial(self) -> bytes:
        """The state at the start."""
        return bytes(self.size)

    def decode(self, state: bytes) -> list[int]:
        """The cells of a state."""
        cells = self.start.copy()
        for address in compress(self._owners, state):
            cells[address] = self.value(address, state)
        return cells

    def encode(self, cells: Sequence[int]) -> bytes:
        """The state with these cells; those that are not live must be as they are at the start."""
        state = bytearray(self.size)
        for address, value in enumerate(cells):
            if value != self.start[address]:
                for place, code in self.code(address, value):
                    state[place] = code
        return bytes(state)

    def value(self, address: int, state: bytes) -> int:
        """The value of one live cell of a state."""
        places = self.places[address]
        low = places[0]
        values = self.values[low]
        if len(values) <= CODES_MAX:
            return values[state[low]]
        return values[state[low] | state[places[1]] << 8]
