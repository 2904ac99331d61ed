"""The memory that contexts share, as objects see it: each byte of C lies in a tracked cell.

Where the model has a cell for a field, that cell is the field (`bind`), translated between what C
keeps there and what the model does.  A word without one gets a spare cell when it is first touched.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right, insort
from collections.abc import Iterator
from dataclasses import dataclass

from hgeisim.errors import ModelError
from hgeisim.object.image import Image
from hgeisim.object.instruction import signed
from hgeisim.object.layout import DEVICES, PERCPU_STRIDE, STACKS, THREADS
from hgeisim.object.plain_memory import AnyMemory, Aside, PlainMemory, Translate

WORD = 8
SPARE_CELLS = 2048
"""Cells for words that the model does not have: in a search all must exist before it begins."""


def same(value: int) -> int:
    """No translation."""
    return value


@dataclass(frozen=True)
class Binding:
    """Bytes of C that lie in one cell; `to_c` and `to_model` translate its value.  `spare`: only
    objects know them."""

    address: int
    size: int
    cell: int
    to_c: Translate = same
    to_model: Translate = same
    spare: bool = False

    def get(self, memory: AnyMemory | Aside) -> int:
        """The bytes as an unsigned number."""
        return self.to_c(memory.read(self.cell)) & ((1 << 8 * self.size) - 1)


@dataclass(frozen=True, order=True)
class Region:
    """Mapped memory."""

    address: int
    size: int
    name: str


class SharedMemory:
    """The bindings of one kernel.  `memory` is where cells are, aside while a go is not over."""

    def __init__(self, memory: AnyMemory, image: Image, cpus: int) -> None:
        self.memory: AnyMemory | Aside = memory
        self.image, self.cpus = image, cpus
        self._words: dict[int, list[Binding]] = {}
        self._whole: set[int] = set()
        self._fixed: dict[int, int] = {}
        self._regions: list[Region] = []
        self._spare = self._reserved(memory)
        for each in image.segments:
            if not image.is_constant(each.address) and each.data:
                self.map(each.address, len(each.data), each.section.name)
        for cpu in range(cpus):
            for each in image.percpu:
                base = each.address + PERCPU_STRIDE * (cpu + 1)
                self.map(base, len(each.data), f"cpu{cpu} {each.section.name}")

    @staticmethod
    def _reserved(memory: AnyMemory) -> Iterator[int]:
        """Cells for words of objects: as many as needed, or those that a search reserves."""
        if isinstance(memory, PlainMemory):
            return (memory.cell("") for _ in itertools.count())
        return iter([memory.cell(f"object word {i}") for i in range(SPARE_CELLS)])

    def map(self, address: int, size: int, name: str) -> int:
        """Let memory be there; returns its address."""
        insort(self._regions, Region(address, size, name))
        return address

    def region(self, address: int) -> Region | None:
        """The mapped memory at an address."""
        at = bisect_right(self._regions, address, key=lambda each: each.address) - 1
        found = self._regions[at] if at >= 0 else None
        return found if found and address < found.address + found.size else None

    def is_mapped(self, address: int, size: int) -> bool:
        """Whether an access stays in mapped memory."""
        found = self.region(address)
        return found is not None and address + size <= found.address + found.size

    def fix(self, address: int, size: int, value: int) -> None:
        """Let bytes have a value that nothing changes; reading them is not a step."""
        for i in range(size):
            self._fixed[address + i] = value >> 8 * i & 0xFF

    def constant(self, address: int, size: int) -> int | None:
        """The value of bytes that nothing changes; None where something may."""
        if address in self._fixed:
            found = [self._fixed.get(address + i) for i in range(size)]
            if None not in found:
                return int.from_bytes(bytes(byte or 0 for byte in found), "little")
        if self.image.is_constant(address):
            return self.image.initial(address, size)
        return None

    def bind(
        self,
        address: int,
        size: int,
        cell: int,
        to_c: Translate = same,
        to_model: Translate | None = None,
    ) -> None:
        """Let bytes be a cell of the model; without `to_model` they are a signed number there."""
        back = to_model or (lambda value: signed(value, 8 * size))
        made = Binding(address, size, cell, to_c, back)
        for word in range(address & ~(WORD - 1), address + size, WORD):
            self._words.setdefault(word, []).append(made)

    def bind_pointer(self, address: int, cell: int, to_c: Translate, to_model: Translate) -> None:
        """Let a pointer of C be a cell of the model that names what it points to."""
        if isinstance(self.memory, PlainMemory):
            self.memory.translate(cell, to_c, to_model)
            to_c = to_model = same
        self.bind(address, 8, cell, to_c, to_model)

    def forget(self, address: int) -> None:
        """Let mapped memory be as at first again, but for the fields of the model."""
        region = self.region(address)
        end = region.address + region.size if region else address
        for word in range(address, end, WORD):
            for each in self._words.get(word, ()):
                if each.spare:
                    self.memory.write(each.cell, 0)

    def _bindings(self, word: int) -> list[Binding]:
        """The parts of a word, from its first byte to its last."""
        if word not in self._whole:
            known = sorted(self._words.get(word, ()), key=lambda each: each.address)
            made, at = list[Binding](), word
            for each in known:
                if each.address > at:
                    made.append(self._automatic(at, each.address - at))
                made.append(each)
                at = each.address + each.size
            if at < word + WORD:
                made.append(self._automatic(at, word + WORD - at))
            self._words[word] = made
            self._whole.add(word)
        return self._words[word]

    def _automatic(self, address: int, size: int) -> Binding:
        """Bytes that only objects know, in a spare cell, which is 0 while they are as at first."""
        cell = next(self._spare, None)
        if cell is None:
            raise ModelError(f"objects use more than {SPARE_CELLS} words of their own")
        first = self._initial(address, size)
        kind = ".stack" if STACKS <= address < DEVICES else ""
        self.memory.names[cell] = f"{self.name_of(address)}{kind}"
        return Binding(address, size, cell, first.__xor__, first.__xor__, spare=True)

    def _initial(self, address: int, size: int) -> int:
        """The bytes before anything was stored; the per-CPU data of a CPU begin as a copy."""
        if PERCPU_STRIDE <= address < THREADS:
            address %= PERCPU_STRIDE
        known = (self._fixed.get(address + i, None) for i in range(size))
        there = [self.image.initial(address + i, 1) or 0 for i in range(size)]
        mixed = bytes(there[i] if byte is None else byte for i, byte in enumerate(known))
        return int.from_bytes(mixed, "little")

    def name_of(self, address: int) -> str:
        """A place in memory as people read it."""
        found = self.region(address)
        return f"{found.name}+{address - found.address:#x}" if found else f"{address:#x}"

    def _pieces(self, address: int, size: int) -> Iterator[tuple[Binding, int, int, int]]:
        """The bindings of an access: which, from which of its bytes, how many, and how many bytes
        of the access come before.  Compilers merge neighbouring fields into one access."""
        done = 0
        while done < size:
            at = address + done
            word = self._bindings(at & ~(WORD - 1))
            found = next(each for each in word if each.address <= at < each.address + each.size)
            count = min(size - done, found.address + found.size - at)
            yield found, at - found.address, count, done
            done += count

    def load(self, address: int, size: int) -> int:
        """The value of some bytes, as an unsigned number."""
        value = 0
        for each, first, count, done in self._pieces(address, size):
            part = each.get(self.memory) >> 8 * first & ((1 << 8 * count) - 1)
            value |= part << 8 * done
        return value

    def store_bytes(self, address: int, size: int, value: int) -> None:
        """Set some bytes, and no others."""
        for each, first, count, done in self._pieces(address, size):
            part = value >> 8 * done & ((1 << 8 * count) - 1)
            if count < each.size:
                mask = ((1 << 8 * count) - 1) << 8 * first
                part = each.get(self.memory) & ~mask | part << 8 * first
            self.memory.write(each.cell, each.to_model(part))
