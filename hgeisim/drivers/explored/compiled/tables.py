"""What a space has learned, as tables of the compiled loop: the same trees, and the answers."""

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
    """The trees of a space, which are planted here as well from now on.

    `answers` has each answer at its number; `pointer` is what the functions of C take.
    """

    def __init__(self, space: Space, functions: Any) -> None:
        self.space, self.functions = space, functions
        self.answers: list[Answer | None] = [None]
        self.locations = [space.codebook.places[location][0] for location in space.locations]
        self.places = space.codebook.size
        bits, watched = self._bits(), space.invariants.watched
        looked_at = bytes(watched >> place & 1 for place in range(self.places))
        self.pointer = functions.tables_new(
            self.places, len(self.locations), _numbers(self.locations), bits, looked_at
        )
        if not self.pointer:
            raise MemoryError
        finalize(self, functions.tables_free, self.pointer)
        for slot, tree in enumerate(space.trees):
            for path, answer in leaves(tree, self.locations[slot]):
                self.plant(slot, path, answer)

    def plant(self, slot: int, path: list[tuple[int, int]], answer: Answer) -> None:
        """Plant an answer behind the codes of the places that it depends on, in their order."""
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
        """As many for each place as the values need that its cell has had by now."""
        bits = bytearray(self.places)
        for address, at in self.space.codebook.places.items():
            needed = (len(self.space.values(address)) - 1).bit_length()
            for place in at:
                bits[place] = min(needed, 8)
                needed = max(needed - 8, 0)
        return bytes(bits)


def tables_of(space: Space) -> Tables | None:
    """The tables of a space; None where Python has to search by itself."""
    functions = library()
    if functions is None or max(space.codebook.size, len(space.locations)) > MAX:
        return None
    if not isinstance(space.mirror, Tables):
        space.mirror = Tables(space, functions)
    return space.mirror


def _numbers(numbers: Any) -> bytes:
    return array("H", numbers).tobytes()
