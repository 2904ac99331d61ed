"""A page: a title, a subtitle, and below them room that is counted in inches."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

HEAD_LINE, HEAD_GAP = 0.24, 0.42
HEAD_LINES_MAX = 20
"""More lines of a title are left out: a picture has only so much room."""
LEGEND_LINE = 0.2
_LETTERS_PER_INCH = 10.5
_LEGEND_LETTERS_PER_INCH = 13
_LEGEND_KEY = 0.62
"""Width of what stands before a label in a legend, with the gap between two columns."""


@dataclass(frozen=True)
class Page:
    """A figure; `top` is the height in inches that its head takes."""

    figure: Figure
    top: float

    @property
    def width(self) -> float:
        """Of the figure, in inches."""
        return float(self.figure.get_size_inches()[0])

    @property
    def height(self) -> float:
        """Of the figure, in inches."""
        return float(self.figure.get_size_inches()[1])

    def axes(self, left: float, down: float, width: float, height: float, **options: Any) -> Axes:
        """Make axes whose upper left corner is `left` and `down` (below the head), in inches."""
        bottom = self.height - self.top - down - height
        place = (left / self.width, bottom / self.height, width / self.width, height / self.height)
        return self.figure.add_axes(place, **options)

    def legend(self, handles: list[Artist], up: float = 0.04, **options: Any) -> None:
        """Write the one legend, `up` inches above the lower edge, in as many lines as it needs."""
        self.figure.legend(
            handles=handles,
            loc="lower center",
            ncols=options.pop("ncols", legend_columns(handles, self.width)),
            frameon=False,
            bbox_to_anchor=(0.5, up / self.height),
            borderaxespad=0,
            **options,
        )


def page(title: str, width: float, body: float) -> Page:
    """Make a page with `body` inches below the head; lines of `title` after the first are a
    subtitle."""
    head = wrapped(title, width)
    top = HEAD_LINE * len(head) + HEAD_GAP
    figure = Figure(figsize=(width, top + body))
    for at, line in enumerate(head):
        size, weight = (13, "bold") if at == 0 else (10, "normal")
        y = 1 - (0.12 + HEAD_LINE * at) / (top + body)
        figure.text(0.15 / width, y, line, fontsize=size, fontweight=weight, va="top")
    return Page(figure, top)


def legend_height(handles: list[Artist], width: float) -> float:
    """How high the legend of a page is, in inches."""
    return LEGEND_LINE * ceil(len(handles) / legend_columns(handles, width))


def legend_columns(handles: list[Artist], width: float) -> int:
    """How many columns of a legend have room side by side; it is filled column by column."""
    letters = [len(str(handle.get_label())) for handle in handles]
    for columns in range(len(handles), 1, -1):
        longest = (max(column) for column in np.array_split(letters, columns))
        if sum(n / _LEGEND_LETTERS_PER_INCH + _LEGEND_KEY for n in longest) <= width:
            return columns
    return 1


def wrapped(title: str, width: float) -> list[str]:
    """The lines of a title on a page of some inches; the first, in bold, has room for fewer
    letters."""
    lines: list[str] = []
    for text in title.split("\n"):
        letters = int(width * (_LETTERS_PER_INCH if lines else _LETTERS_PER_INCH * 0.8))
        lines += textwrap.wrap(text[: letters * (HEAD_LINES_MAX + 1)], letters) or [""]
    return lines if len(lines) <= HEAD_LINES_MAX else [*lines[: HEAD_LINES_MAX - 1], "..."]
