"""A cached step: the answer of a context in a state, and the cells on which it depends.

An answer is a leaf of a decision tree.  A branch is `(place, {code: subtree})`; the branches follow
the order in which the step read the cells.  A cell is named by its place in a state, see
`Codebook`, and a set of cells is a bit mask of places.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

from hgeisim.checks.finding import Finding

Writes: TypeAlias = tuple[tuple[int, int], ...]


class Answer:
    """One step of one context, or the fact that it cannot step; equal only to itself.

    `writes` are (place, code) pairs, None if the context cannot step.  `findings` are those of the
    step itself.  `reads` has a bit for each cell on which the answer depends: in any two states
    that agree on these cells, the context answers the same.  `written` has a bit for each cell that
    the step changes, and `watched` says whether a state check looks at one of them.  `length` is
    the number of operations that are merged into the step.  A step that `crashes` leaves the state
    as it was, and nothing comes after it.
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
    """Each answer of a tree that asks for `place` first, with the places and codes on its way."""
    for code, below in tree.items():
        here = (*path, (place, code))
        if isinstance(below, Answer):
            yield list(here), below
        else:
            yield from leaves(below[1], below[0], *here)
