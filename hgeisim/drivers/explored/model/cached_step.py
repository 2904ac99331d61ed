"""What a context would do in a state, and on which cells that depends.

An answer is remembered as a leaf of a decision tree.  A branch is `(place, {code: subtree})`; it
asks for the cells in the order in which the step read them.  A cell is named by its place in a
state, see `Codebook`, and a set of cells is a bit mask of places.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

from hgeisim.checks.finding import Finding

Writes: TypeAlias = tuple[tuple[int, int], ...]


class Answer:
    """One step of one context, or that it cannot step; two answers are equal if they are one.

    `writes` are (place, code) pairs, None when the context cannot step.  `findings` is what the
    checks say about the step.  `reads` has a bit for each cell on which the answer depends: in any
    two states that agree on these cells, the context answers the same.  `written` has a bit for
    each cell that the step changes; `watched` tells whether a state check looks at one of them.
    `length` counts the operations that are merged into the step.  After a step that `crashes`
    nothing comes: it leaves the state as it was.
    """

    __slots__ = ("crashes", "findings", "length", "reads", "watched", "writes", "written")

    def __init__(
        self,
        reads: int,
        writes: Writes | None = None,
        findings: tuple[Finding, ...] = (),
        watched: int = 0,
        length: int = 1,
    ) -> None:
        self.reads, self.writes, self.findings = reads, writes, findings
        self.written = mask(place for place, _ in writes or ())
        self.length, self.crashes = length, False
        self.watched = bool(self.written & watched)


def mask(places: Iterable[int]) -> int:
    """The bit mask of some places."""
    bits = 0
    for place in places:
        bits |= 1 << place
    return bits


def after(state: bytes, writes: Writes) -> bytes:
    """The state that a step leads to."""
    cells = bytearray(state)
    for place, code in writes:
        cells[place] = code
    return bytes(cells)


def leaves(
    tree: dict[int, Any], place: int, *path: tuple[int, int]
) -> Iterator[tuple[list[tuple[int, int]], Answer]]:
    """Each answer of a tree that asks for `place` first, with the places and codes there."""
    for code, below in tree.items():
        here = (*path, (place, code))
        if isinstance(below, Answer):
            yield list(here), below
        else:
            yield from leaves(below[1], below[0], *here)
