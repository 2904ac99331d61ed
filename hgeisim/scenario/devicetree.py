"""A devicetree blob (Devicetree specification, chapter 5) as a flat list of typed nodes."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import fdt

from hgeisim.errors import InputError, Problem

MAGIC = 0xD00DFEED
"""The first word of every blob (big endian)."""
NESTING_MAX = 64
"""The deepest nesting of nodes, which is also the limit of the kernel's own reader."""
BEGIN_NODE, END_NODE, PROP, NOP, END = 1, 2, 3, 4, 9
"""The tokens of the structure block."""


@dataclass(frozen=True, eq=False)
class Node:
    """One node: `words` holds the properties made of 32-bit cells, `strings` those made of text;
    `flags` are the names of all its properties, also of those without a value."""

    path: str
    parent: Node | None
    words: Mapping[str, tuple[int, ...]]
    strings: Mapping[str, tuple[str, ...]]
    flags: frozenset[str] = frozenset()

    @property
    def available(self) -> bool:
        """Whether an operating system may use the node: it has no `status`, or "okay"."""
        return self.strings.get("status", ("okay",))[0] in ("okay", "ok")

    @property
    def phandle(self) -> int | None:
        """The number by which other nodes name it; old blobs call it `linux,phandle`."""
        words = self.words.get("phandle") or self.words.get("linux,phandle")
        return words[0] if words else None

    def is_compatible(self, kind: str) -> bool:
        """Whether it is of a kind of device."""
        return kind in self.strings.get("compatible", ())

    def number(self, name: str) -> int | None:
        """The first cell of a property, None without it."""
        return self.words[name][0] if name in self.words else None

    def inherited(self, name: str) -> int:
        """The first cell of a property of this node or the nearest ancestor with it, else 1."""
        node: Node | None = self
        while node is not None:
            if name in node.words:
                return node.words[name][0]
            node = node.parent
        return 1


def joined(words: tuple[int, ...]) -> int:
    """The number that is made of some cells."""
    value = 0
    for word in words:
        value = value << 32 | word
    return value


@dataclass(frozen=True)
class Devicetree:
    """The nodes of a blob in its order, parents first, and the hart id of the CPU that it was
    booted on, as its header says."""

    file: str
    nodes: list[Node]
    boot_hart: int

    def error(self, where: str, value: object, allowed: str) -> InputError:
        """A mistake in the blob."""
        return InputError([Problem(self.file, where, str(value), allowed)])


def read_devicetree(data: bytes, file: str) -> Devicetree:
    """Read a blob; InputError if it is broken."""
    _check_header(data, file)
    try:
        root = fdt.parse_dtb(_without_nops(data)).root
    except MemoryError:
        raise
    except Exception as error:  # the parser raises bare Exception, IndexError, struct.error, ...
        allowed = f"must be a whole devicetree blob ({type(error).__name__}: {error})"
        raise InputError([Problem(file, "", "", allowed)]) from error
    finally:
        fdt.FDT().entries.clear()  # the parser adds the reserved memory of every blob to one list
    nodes = list(_walk(root, file)) if root is not None else []
    return Devicetree(file, nodes, struct.unpack_from(">I", data, 28)[0])


def _check_header(data: bytes, file: str) -> None:
    magic, size = struct.unpack(">II", data[:8]) if len(data) >= 8 else (0, 0)
    if magic != MAGIC:
        allowed = "must be a devicetree blob, which starts with the bytes d0 0d fe ed"
        raise InputError([Problem(file, "", "", allowed)])
    if size > len(data):
        allowed = f"is truncated: its header says {size} bytes, the file has {len(data)}"
        raise InputError([Problem(file, "", "", allowed)])


def _without_nops(data: bytes) -> bytes:
    """A blob without the tokens that stand for nothing, which the parser does not know."""
    start = struct.unpack_from(">I", data, 8)[0]
    kept, at, tag = bytearray(), start, BEGIN_NODE
    while tag != END:
        (tag,), begin = struct.unpack_from(">I", data, at), at
        at += 4
        if tag == BEGIN_NODE:
            at = data.index(b"\0", at) + 1
        elif tag == PROP:
            at += 8 + struct.unpack_from(">I", data, at)[0]
        elif tag not in (END_NODE, NOP, END):
            return data  # the parser says what is wrong
        at = start + -(-(at - start) // 4) * 4
        kept += b"" if tag == NOP else data[begin:at]
    return data[:start] + bytes(kept).ljust(at - start, b"\0") + data[at:]


def _walk(root: Any, file: str) -> Iterator[Node]:
    """The nodes in the order of the blob, parents first; with a stack, as garbage may nest deep."""
    stack: list[tuple[Any, Node | None]] = [(root, None)]
    while stack:
        raw, parent = stack.pop()
        node = _node(raw, parent)
        if node.path.count("/") > NESTING_MAX:
            allowed = f"must not be nested deeper than {NESTING_MAX} nodes"
            raise InputError([Problem(file, node.path, "", allowed)])
        yield node
        stack.extend((child, node) for child in reversed(raw.nodes))


def _node(raw: Any, parent: Node | None) -> Node:
    path = "/" if parent is None else f"{parent.path.rstrip('/')}/{raw.name}"
    values = {item.name: tuple(getattr(item, "data", ())) for item in raw.props}
    words = {name: value for name, value in values.items() if value and _all(int, value)}
    strings = {name: value for name, value in values.items() if value and _all(str, value)}
    return Node(path, parent, words, strings, frozenset(values))


def _all(kind: type, values: tuple[object, ...]) -> bool:
    return all(isinstance(value, kind) for value in values)
