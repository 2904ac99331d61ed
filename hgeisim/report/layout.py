"""How text is laid out for a mail."""

from __future__ import annotations

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
