"""The shared state of a kernel that runs in time, as objects see it.

Its fields are plain attributes, and nobody notes who reads or writes them.  Objects address cells,
as in a search, so each field that they know gets a number here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

from hgeisim.machine.shared import Memory, Shared, address_of

Translate: TypeAlias = Callable[[int], int]
Getter: TypeAlias = Callable[[], int]
Setter: TypeAlias = Callable[[int], None]


class PlainMemory:
    """Cells by their number: fields of the model (`field`), elements of its arrays (`element`), and
    words that only objects have (`cell`)."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._get: list[Getter] = []
        self._set: list[Setter] = []
        self._places: dict[Shared, list[Any]] = {}

    def __getitem__(self, cell: int) -> int:
        return self._get[cell]()

    @property
    def cells(self) -> PlainMemory:
        """The values of all cells, by their number."""
        return self

    def read(self, cell: int) -> int:
        """The value of a cell."""
        return self._get[cell]()

    def write(self, cell: int, value: int) -> None:
        """Set a cell."""
        self._set[cell](value)

    def cell(self, name: str, value: int = 0) -> int:
        """Add a word that the model does not have."""
        word = [value]
        return self._add(name, partial(word.__getitem__, 0), partial(word.__setitem__, 0))

    def field(self, struct: Shared, name: str) -> int:
        """Give a field of the model a number."""
        place = self._place(struct)
        return self._add(
            f"{struct}.{name}",
            lambda: int(getattr(place[0], name)),
            lambda value: setattr(place[0], name, value),
        )

    def element(self, struct: Shared, array: str, index: int) -> int:
        """Give an element of an array of the model a number; who follows a patch may exchange the
        array for one that reports accesses."""
        place = self._place(struct)

        def put(value: int) -> None:
            getattr(place[0], array)[index] = value

        return self._add(
            f"{struct}.{array}[{index}]", lambda: int(getattr(place[0], array)[index]), put
        )

    def translate(self, cell: int, to_c: Translate, to_model: Translate) -> None:
        """Let a cell have the values that C has there.  What a go writes is remembered, and may
        mean another value of the model once memory was given to another VM."""
        get, put = self._get[cell], self._set[cell]
        self._get[cell] = lambda: to_c(get())
        self._set[cell] = lambda value: put(to_model(value))

    def exchange(self, old: Shared, new: Shared) -> None:
        """Let the numbers of the fields of a struct that is gone mean those of a new one."""
        place = self._places[new] = self._places.pop(old)
        place[0] = new

    def _place(self, struct: Shared) -> list[Any]:
        """Where the struct is kept that a cell is a field of."""
        return self._places.setdefault(struct, [struct])

    def _add(self, name: str, get: Getter, put: Setter) -> int:
        self.names.append(name)
        self._get.append(get)
        self._set.append(put)
        return len(self.names) - 1


AnyMemory: TypeAlias = Memory | PlainMemory


def cell_of(memory: AnyMemory, struct: Shared, name: str) -> int:
    """The cell of a field of the model."""
    if isinstance(memory, PlainMemory):
        return memory.field(struct, name)
    return address_of(struct, name)


def cell_of_element(memory: AnyMemory, struct: Shared, array: str, index: int) -> int:
    """The cell of an element of an array of the model."""
    if isinstance(memory, PlainMemory):
        return memory.element(struct, array, index)
    return int(getattr(struct, array).base) + index


class Aside:
    """The accesses of a go, apart from the memory until the go is over: `reads` has the values
    that it found there, `writes` those that it leaves."""

    def __init__(self, memory: AnyMemory) -> None:
        self.cells, self.names = memory.cells, memory.names
        self.reads: dict[int, int] = {}
        self.writes: dict[int, int] = {}

    def read(self, cell: int) -> int:
        """The value of a cell, noted unless the go wrote it before."""
        if cell in self.writes:
            return self.writes[cell]
        return self.reads.setdefault(cell, self.cells[cell])

    def write(self, cell: int, value: int) -> None:
        """Set a cell."""
        self.writes[cell] = value
