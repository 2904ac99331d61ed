"""A table of kernels side by side, as lines for a mail: a label on the left, a column for each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hgeisim.report.layout import indented

TABLE_WIDTH = 80
LABEL_MIN = 20
"""What is left for labels at least; else numbers stand for the heads."""
GAP = 2

Row = tuple[str, Sequence[str]]
"""A label, and a cell for each column."""


def columns(label: str, heads: Sequence[str], rows: Sequence[Row]) -> Iterator[str]:
    """The table; a label that is too long has a line of its own."""
    short = heads
    if sum(_widths(heads, rows)) > TABLE_WIDTH - LABEL_MIN:
        short = [f"[{number}]" for number in range(len(heads))]
        for number, head in zip(short, heads, strict=True):
            yield from indented(f"{number} {head}", 0)
    widths = _widths(short, rows)
    room = TABLE_WIDTH - sum(widths)
    longest = max(len(each) for each, _ in ((label, ()), *rows))
    left = min(room, longest)
    yield from _line((label, short), left, widths)
    yield "-" * (left + sum(widths))
    for row in rows:
        yield from _line(row, left, widths)


def _widths(heads: Sequence[str], rows: Sequence[Row]) -> list[int]:
    """The width of each column with the gap before it."""
    cells = zip(heads, *(cells for _, cells in rows), strict=True)
    return [GAP + max(map(len, column)) for column in cells]


def _line(row: Row, left: int, widths: Sequence[int]) -> Iterator[str]:
    label, cells = row
    if len(label) > left:
        yield from indented(label, 0)
        label = ""
    shown = (cell.rjust(width) for cell, width in zip(cells, widths, strict=True))
    yield f"{label:<{left}}{''.join(shown)}".rstrip()
