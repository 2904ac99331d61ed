"""Shared state: declared once, plain when timed, tracked when explored.

A class of shared state lists its fields as annotations::

    class HgeiControl(Shared):
        free_bitmap: Field      # an integer that any context may read and write
        owners: Array           # an array of them
        lock: RawSpinlock       # a reference: fixed when the object is built

`build` makes an instance.  Without a `Memory` the fields are plain slots, as fast as Python has
them.  With one, every field is a cell of that memory, and the memory notes which cells a step read
(before it wrote them itself) and which it wrote.  The explorer lives on those notes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, Any, Protocol, TypeAlias, TypeVar, cast

T = TypeVar("T")

Field: TypeAlias = Annotated[int, "shared"]
"""A shared integer.  Booleans are 0 and 1, references are ids, "none" is 0 or -1 as in C."""


class Array(Protocol):
    """A shared array of integers of fixed length."""

    def __getitem__(self, index: int, /) -> int: ...
    def __setitem__(self, index: int, value: int, /) -> None: ...
    def __len__(self) -> int: ...
    def count(self, value: int, /) -> int:
        """How many elements equal `value`."""


def whole(value: Any, name: str) -> int:
    """The value that a field holds once a value is written into it.

    Raises `TypeError` for what is not a whole number.
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int):
        raise TypeError(f"{name} holds a whole number, not {value!r}")
    return value


class Memory:
    """All shared state of one explored system, as a flat list of cells.

    `reads` maps an address to the value that the present step found there, in the order of first
    reading; a read after the step's own write is not an input and is left out.  `writes` maps an
    address to the value the step left there.  `touched` has every cell that was accessed since
    somebody last emptied it, and whether it was written.  `on_access`, if set, is called with each
    access of a path as it is made, and whether that is a write.
    """

    def __init__(self) -> None:
        self.cells: list[int] = []
        self.names: list[str] = []
        self.reads: dict[int, int] = {}
        self.writes: dict[int, int] = {}
        self.touched: dict[int, bool] = {}
        self.on_write: Callable[[int], None] | None = None
        self.on_access: Callable[[int, bool], None] | None = None

    def cell(self, name: str, value: int = 0) -> int:
        """Add a cell and return its address."""
        self.cells.append(value)
        self.names.append(name)
        return len(self.cells) - 1

    def read(self, address: int) -> int:
        """Return a cell, noting the read unless the step wrote it before."""
        value = self.cells[address]
        if self.on_access is not None:
            self.on_access(address, False)
        self.touched.setdefault(address, False)
        if address not in self.writes:
            self.reads.setdefault(address, value)
        return value

    def write(self, address: int, value: int) -> None:
        """Set a cell, noting the write; `on_write`, if set, is called with the address.

        Raises `TypeError` for what is not a whole number.
        """
        if not isinstance(value, int):
            value = whole(value, self.names[address])
        if self.on_write is not None:
            self.on_write(address)
        if self.on_access is not None:
            self.on_access(address, True)
        self.touched[address] = True
        self.cells[address] = self.writes[address] = value

    def aside(self, look: Callable[..., T], *args: Any) -> T:
        """Do something that is not an access of the path; its reads are inputs of the step."""
        touched, self.touched = self.touched, {}
        on_access, self.on_access = self.on_access, None
        try:
            return look(*args)
        finally:
            self.touched, self.on_access = touched, on_access

    def begin_step(self, cells: list[int]) -> None:
        """Forget what was noted and work on `cells` from now on."""
        self.cells = cells
        self.reads = {}
        self.writes = {}


class TrackedArray:
    """An `Array` whose elements are cells of a memory."""

    __slots__ = ("base", "length", "memory")

    def __init__(self, memory: Memory, base: int, length: int) -> None:
        self.memory, self.base, self.length = memory, base, length

    def _address(self, index: int) -> int:
        if not 0 <= index < self.length:
            raise IndexError(f"index {index} of {self.memory.names[self.base]} ({self.length})")
        return self.base + index

    def __getitem__(self, index: int, /) -> int:
        return self.memory.read(self._address(index))

    def __setitem__(self, index: int, value: int, /) -> None:
        self.memory.write(self._address(index), value)

    def __len__(self) -> int:
        return self.length

    def count(self, value: int, /) -> int:
        """How many elements equal `value`."""
        return sum(self[i] == value for i in range(self.length))


class SharedMeta(type):
    """Turns the annotations of a shared class into slots and remembers what each one is."""

    def __new__(mcs, name: str, bases: tuple[type, ...], space: dict[str, Any]) -> SharedMeta:
        """Make the class; only annotated names can ever be set on its instances."""
        own: dict[str, str] = space.get("__annotations__", {})
        space.setdefault("__slots__", tuple(own))
        cls = super().__new__(mcs, name, bases, space)
        kinds: dict[str, str] = {}
        for base in reversed(cls.__mro__):
            kinds.update(vars(base).get("__annotations__", {}))
        cls.fields = tuple(n for n, kind in kinds.items() if _is(kind, "Field", Field))
        cls.arrays = tuple(n for n, kind in kinds.items() if _is(kind, "Array", Array))
        return cls

    fields: tuple[str, ...]
    arrays: tuple[str, ...]


def _is(annotation: Any, name: str, kind: Any) -> bool:
    """Whether an annotation is meant, which is a text where annotations are not evaluated."""
    text = annotation.rpartition(".")[2] if isinstance(annotation, str) else ""
    return text == name or annotation is kind


class Shared(metaclass=SharedMeta):
    """Base of all shared state; instances come from `build`."""

    def __repr__(self) -> str:
        return str(getattr(self, "name", type(self).__name__))


class Fixed:
    """Base of objects that paths refer to and that never change while paths run."""


S = TypeVar("S", bound=Shared)
_tracked: dict[type, type] = {}


def build(cls: type[S], memory: Memory | None, name: str, **values: Any) -> S:
    """Make an instance of a shared class, plain without a memory, tracked with one.

    `values` gives fields their first value (default 0), arrays their length and references their
    object; references may also be set later.  Raises `KeyError` for an array without a length and
    `AttributeError` for a name that is not declared.
    """
    made: Any = cls.__new__(cls if memory is None else _tracked_class(cls))
    if memory is not None:
        made._memory = memory
        made._at = {field: memory.cell(f"{name}.{field}") for field in cls.fields}
    for field in cls.fields:
        setattr(made, field, values.pop(field, 0))
    for array in cls.arrays:
        setattr(made, array, _array(memory, f"{name}.{array}", values.pop(array)))
    for reference, value in values.items():
        setattr(made, reference, value)
    return cast("S", made)


def address_of(shared: Shared, field: str) -> int:
    """Return the cell that holds a field of a tracked object."""
    return int(shared._at[field])  # type: ignore[attr-defined]


def addresses(shared: Shared, *names: str) -> Iterator[int]:
    """Yield the cells of some fields and arrays of a tracked object, of all without names."""
    for name in names or (*type(shared).fields, *type(shared).arrays):
        if name in type(shared).fields:
            yield address_of(shared, name)
        else:
            array: TrackedArray = getattr(shared, name)
            yield from range(array.base, array.base + array.length)


def _array(memory: Memory | None, name: str, length: int) -> Array:
    if memory is None:
        return [0] * length
    base = len(memory.cells)
    for i in range(length):
        memory.cell(f"{name}[{i}]")
    return TrackedArray(memory, base, length)


def _tracked_class(cls: SharedMeta) -> type:
    made = _tracked.get(cls)
    if made is None:
        body: dict[str, Any] = {name: _cell_property(name) for name in cls.fields}
        body["__slots__"] = ("_memory", "_at")
        made = _tracked[cls] = type(cls)(cls.__name__, (cls,), body)
    return made


def _cell_property(name: str) -> property:
    def fetch(shared: Any) -> int:
        return int(shared._memory.read(shared._at[name]))

    def store(shared: Any, value: int) -> None:
        shared._memory.write(shared._at[name], value)

    getter: Callable[[Any], int] = fetch
    return property(getter, store)
