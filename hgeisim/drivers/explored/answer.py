"""What a context would do in a state, and on which cells that depends.

An answer is remembered as a leaf of a decision tree.  A branch is `(address, {code: subtree})`; it
asks for the cells in the order in which the step read them.  Sets of cells are bit masks over
addresses.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from hgeisim.checks.finding import Finding

Writes: TypeAlias = tuple[tuple[int, int], ...]


class Answer:
    """One step of one context, or that it cannot step; two answers are equal if they are one.

    `writes` are (address, code) pairs, None when the context cannot step.  `findings` is what the
    checks say about the step.  `reads` has a bit for each cell on which the answer depends: in any
    two states that agree on these cells, the context answers the same.  `written` has a bit for
    each cell that the step changes; `watched` tells whether a state check looks at one of them.
    """

    __slots__ = ("findings", "reads", "watched", "writes", "written")

    def __init__(
        self,
        reads: int,
        writes: Writes | None = None,
        findings: tuple[Finding, ...] = (),
        watched: int = 0,
    ) -> None:
        self.reads, self.writes, self.findings = reads, writes, findings
        self.written = mask(address for address, _ in writes or ())
        self.watched = bool(self.written & watched)


def mask(cells: Iterable[int]) -> int:
    """The bit mask of some addresses."""
    bits = 0
    for address in cells:
        bits |= 1 << address
    return bits


def after(state: bytes, writes: Writes) -> bytes:
    """The state that a step leads to."""
    cells = bytearray(state)
    for address, code in writes:
        cells[address] = code
    return bytes(cells)
