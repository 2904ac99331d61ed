"""The steps that a space has learned, as tables of the compiled loop: the trees and the answers."""

from __future__ import annotations

from array import array
from typing import Any
from weakref import finalize

from hgeisim.drivers.explored.compiled.library import library
from hgeisim.drivers.explored.model.cached_step import Answer, leaves
from hgeisim.drivers.explored.model.space import Space

MAX = 65_535
"""Places of a state, and contexts."""


class Tables:
    """A copy of a space's trees in C, which grows with them (`Space.mirror`).

    `answers` has each answer at its number; `pointer` is the argument of the functions in C.
    """

    def __init__(self, space: Space, functions: Any) -> None:
        self.space, self.functions = space, functions
        self.answers: list[Answer | None] = [None]
        self.locations = [space.codebook.places[location][0] for location in space.locations]
        self.places = space.codebook.size
        watched = bytes(space.invariants.watched >> place & 1 for place in range(self.places))
        self.pointer = functions.tables_new(
            *(self.places, len(self.locations), _numbers(self.locations), self._bits(), watched)
        )
        if not self.pointer:
            raise MemoryError
        finalize(self, functions.tables_free, self.pointer)
        for slot, tree in enumerate(space.trees):
            for path, answer in leaves(tree, self.locations[slot]):
                self.plant(slot, path, answer)

    def plant(self, slot: int, path: list[tuple[int, int]], answer: Answer) -> None:
        """Plant an answer below the codes of the places on which it depends, in their order."""
        places, codes = zip(*path, strict=True)
        written = [*zip(*answer.writes or (), strict=True)] or [(), ()]
        number = self.functions.tables_answer(
            self.pointer,
            len(written[0]),
            _numbers(written[0]),
            bytes(written[1]),
            answer.writes is not None,
            bool(answer.findings),
            answer.crashes,
        )
        if not number or not self.functions.tables_plant(
            self.pointer, slot, len(path), _numbers(places), bytes(codes), number
        ):
            raise MemoryError
        self.answers.append(answer)

    def _bits(self) -> bytes:
        """The bits of each place, for the values that its cell has had so far."""
        bits = bytearray(self.places)
        for address, at in self.space.codebook.places.items():
            needed = (len(self.space.values(address)) - 1).bit_length()
            for place in at:
                bits[place] = min(needed, 8)
                needed = max(needed - 8, 0)
        return bytes(bits)


def tables_of(space: Space) -> Tables | None:
    """The tables of a space; None where the inner loop has to be Python's."""
    functions = library()
    if functions is None or max(space.codebook.size, len(space.locations)) > MAX:
        return None
    if not isinstance(space.mirror, Tables):
        space.mirror = Tables(space, functions)
    return space.mirror


def _numbers(numbers: Any) -> bytes:
    return array("H", numbers).tobytes()
