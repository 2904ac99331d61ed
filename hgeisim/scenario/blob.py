"""A devicetree blob as a flat list of typed nodes; broken blobs end as InputError."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import fdt

from hgeisim.errors import InputError, Problem

MAGIC = 0xD00DFEED
"""First word of every devicetree blob (big endian)."""
NESTING_MAX = 64
"""How deep nodes may be nested; the kernel's own reader takes as many."""


@dataclass(frozen=True, eq=False)
class Node:
    """One node: `words` holds the properties made of 32-bit cells, `strings` those made of text."""

    path: str
    parent: Node | None
    words: Mapping[str, tuple[int, ...]]
    strings: Mapping[str, tuple[str, ...]]

    @property
    def available(self) -> bool:
        """Whether an operating system may use it: no `status`, or one that says okay."""
        return self.strings.get("status", ("okay",))[0] in ("okay", "ok")

    def inherited(self, name: str) -> int:
        """First cell of a property of this node or the nearest ancestor that has it, else 1."""
        node: Node | None = self
        while node is not None:
            if name in node.words:
                return node.words[name][0]
            node = node.parent
        return 1


def read_nodes(data: bytes, file: str) -> list[Node]:
    """All nodes of a blob in the order of the blob, parents first; InputError when it is broken."""
    _check_header(data, file)
    try:
        root = fdt.parse_dtb(data).root
    except MemoryError:
        raise
    except Exception as error:  # the parser raises bare Exception, IndexError, struct.error, ...
        allowed = f"must be a whole devicetree blob ({type(error).__name__}: {error})"
        raise InputError([Problem(file, "", "", allowed)]) from error
    return list(_walk(root, file)) if root is not None else []


def _check_header(data: bytes, file: str) -> None:
    magic, size = struct.unpack(">II", data[:8]) if len(data) >= 8 else (0, 0)
    if magic != MAGIC:
        allowed = "must be a devicetree blob, which starts with the bytes d0 0d fe ed"
        raise InputError([Problem(file, "", "", allowed)])
    if size > len(data):
        allowed = f"is truncated: its header says {size} bytes, the file has {len(data)}"
        raise InputError([Problem(file, "", "", allowed)])


def _walk(root: Any, file: str) -> Iterator[Node]:
    """Parents first, in the order of the blob; a stack, because garbage may nest deep."""
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
    return Node(path, parent, words, strings)


def _all(kind: type, values: tuple[object, ...]) -> bool:
    return all(isinstance(value, kind) for value in values)
