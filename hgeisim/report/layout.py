"""The layout of text: wrapped lines, counted things, commands, tables of kernels side by side."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence
from textwrap import wrap

WIDTH = 78
"""Columns that are left in a mail that is quoted once."""


def indented(words: str, by: int, hanging: int = 2) -> list[str]:
    """Wrap words: the first line is indented by some columns, the others by `hanging` more.

    A word with hyphens, such as an id, stays in one piece.
    """
    first, others = " " * by, " " * (by + hanging)
    return wrap(
        words, WIDTH, initial_indent=first, subsequent_indent=others, break_on_hyphens=False
    )


def count(number: int, word: str) -> str:
    """A number of things in words: 1 step, 1,000 steps, 2 switches, 3 dependencies."""
    return f"{number:,} {word if number == 1 else _plural(word)}"


def _plural(word: str) -> str:
    if word.endswith("y"):
        return f"{word[:-1]}ies"
    return f"{word}es" if word.endswith(("s", "ch")) else f"{word}s"


MAIL_WIDTH = 72
"""Columns of evidence in a mail, which may be quoted several times."""


def in_columns(words: str, lead: str = "", others: str | None = None) -> list[str]:
    """Wrap words for a mail: the first line begins with `lead`, the others with `others`.

    By default the others repeat a lead that only draws (`  |  `), and are indented as far as any
    other lead.
    """
    if others is None:
        others = " " * len(lead) if lead.strip("| ") else lead
    return wrap(
        words, MAIL_WIDTH, initial_indent=lead, subsequent_indent=others, break_on_hyphens=False
    )


IN_COMMAND = MAIL_WIDTH - 4
"""Columns of a line of a command, between its indent and the backslash."""


def command_lines(words: Iterable[str]) -> Iterator[str]:
    """A command for a mail, in lines that a shell joins again; an option stays with its value if
    both fit into a line."""
    line, indent = "", ""
    for part in _parts(words):
        if line and len(f"{line} {part} \\") > MAIL_WIDTH:
            yield f"{line} \\"
            line, indent = "", "  "
        line = f"{line} {part}" if line else f"{indent}{part}"
    yield line


def _parts(words: Iterable[str]) -> Iterator[str]:
    """The pieces of a command that are not divided: words, and options with their values."""
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
"""Fewest columns for labels; a table with less room has numbers in place of its heads."""
GAP = 2

Row = tuple[str, Sequence[str]]
"""A label, and a cell for each column."""


def columns(label: str, heads: Sequence[str], rows: Sequence[Row]) -> Iterator[str]:
    """A table with one column for each head; a label that is too long gets a line of its own."""
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
