"""A page: a title, a subtitle, and below them room that is counted in inches.

So texts keep clear of each other whatever the number of HARTs.  A page may hold a grid of small
panels: how many stand side by side, and how much room everything has.
"""

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
    """The height of the legend of a page, in inches."""
    return LEGEND_LINE * ceil(len(handles) / legend_columns(handles, width))


def legend_columns(handles: list[Artist], width: float) -> int:
    """The number of columns of a legend that fit side by side; it is filled column by column."""
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


_COLUMNS = ((3, 1), (8, 2), (16, 4), (32, 4))
_COLUMNS_MAX = 8
_DENSE_FROM = 17
_LEFT, _RIGHT, _BOTTOM = 0.62, 0.22, 0.92


@dataclass(frozen=True)
class PanelGrid:
    """A figure with its panels in the order of the HARTs, which run down the columns.

    With `dense`, there are too many panels for long labels.
    """

    figure: Figure
    panels: list[Axes]
    dense: bool


def panel_grid(count: int, title: str, dense_note: str) -> PanelGrid:
    """Make the sheet for `count` HARTs; lines of `title` after the first are a subtitle.

    `dense_note` is one more line of it, where labels are short.
    """
    across = next((columns for most, columns in _COLUMNS if count <= most), _COLUMNS_MAX)
    down = ceil(count / across)
    dense = count >= _DENSE_FROM
    width = 10.0 if across <= 2 else 13.0
    body = _BOTTOM + down * _panel_height(across, dense=dense)
    made = page(f"{title}\n{dense_note}" if dense else title, width, body)
    figure, top, height = made.figure, made.top, made.height
    grid = figure.add_gridspec(
        down,
        across,
        left=_LEFT / width,
        right=1 - _RIGHT / width,
        top=1 - top / height,
        bottom=_BOTTOM / height,
        hspace=0.42 if dense else 0.34,
        wspace=0.20 if dense else 0.09 * across / 2,
    )
    panels = [figure.add_subplot(grid[at % down, at // down]) for at in range(count)]
    _label_outside(panels, down)
    return PanelGrid(figure, panels, dense)


def _panel_height(across: int, *, dense: bool) -> float:
    if across == 1:
        return 1.9
    return 1.05 if dense else 1.55


def _label_outside(panels: list[Axes], down: int) -> None:
    """Label time below each column only: at its lowest panel."""
    for at, panel in enumerate(panels):
        lowest = at % down == down - 1 or at == len(panels) - 1
        panel.tick_params(labelbottom=lowest)


def line_ticks(lines: int, busy_max: int, top: int, *, dense: bool) -> list[int]:
    """Choose numbers for an axis of lines 0..top, far enough apart to be read.

    Always 0 and `lines`; `busy_max` if it is beyond them; then at equal distances.
    """
    step = max(1, ceil(top / (2 if dense else 4)))
    ticks = {0, lines}
    if busy_max - lines > step * 0.5:
        ticks.add(busy_max)
    far = {tick for tick in range(0, top, step) if min(abs(tick - t) for t in ticks) > step * 0.6}
    return sorted(ticks | far)
