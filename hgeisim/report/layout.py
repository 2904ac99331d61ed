"""How text is laid out for a mail: wrapped lines, commands, and tables of kernels side by side."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence
from textwrap import wrap

WIDTH = 78
"""Columns that a quoted mail leaves."""


def indented(words: str, by: int, hanging: int = 2) -> list[str]:
    """Wrap words, the first line indented by some columns, the others by `hanging` more; a word
    with hyphens, such as an id, stays in one piece."""
    first, others = " " * by, " " * (by + hanging)
    return wrap(
        words, WIDTH, initial_indent=first, subsequent_indent=others, break_on_hyphens=False
    )


def count(number: int, word: str, plural: str = "s") -> str:
    """A number of things in words: 1 step, 1,000 steps."""
    return f"{number:,} {word}" + ("" if number == 1 else plural)


MAIL_WIDTH = 72
"""Columns of evidence for a mail, which is quoted again and again."""


def in_columns(words: str, lead: str = "", others: str | None = None) -> list[str]:
    """Wrap words for a mail: the first line begins with `lead`, the others with `others`, by
    default as far to the right; where the lead draws something, so do they."""
    following = " " * len(lead) if others is None else others
    if not lead.strip("| "):
        following = lead if others is None else others
    return wrap(
        words,
        MAIL_WIDTH,
        initial_indent=lead,
        subsequent_indent=following,
        break_on_hyphens=False,
    )


IN_COMMAND = MAIL_WIDTH - 4
"""Columns of a line of a command, between its indent and the backslash."""


def command_lines(words: Iterable[str]) -> Iterator[str]:
    """A command for a mail, in lines that a shell puts together again; an option stays with its
    value where they fit."""
    line, indent = "", ""
    for part in _parts(words):
        if line and len(f"{line} {part} \\") > MAIL_WIDTH:
            yield f"{line} \\"
            line, indent = "", "  "
        line = f"{line} {part}" if line else f"{indent}{part}"
    yield line


def _parts(words: Iterable[str]) -> Iterator[str]:
    option = ""
    for word in map(shlex.quote, words):
        both = f"{option} {word}".lstrip()
        if option and len(both) > IN_COMMAND:
            yield option
            both = word
        option = both if both == word and word.startswith("-") else ""
        if not option:
            yield both
    if option:
        yield option


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
