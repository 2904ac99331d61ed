"""The sheet of small panels: how many stand side by side, and how much room everything has.

Room is counted in inches, so that texts keep clear of each other whatever the number of HARTs.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hgeisim.plot.page import page

_COLUMNS = ((3, 1), (8, 2), (16, 4), (32, 4))
_COLUMNS_MAX = 8
_DENSE_FROM = 17
_LEFT, _RIGHT, _BOTTOM = 0.62, 0.22, 0.92


@dataclass(frozen=True)
class Sheet:
    """A figure with its panels in the order of the HARTs, which run down the columns.

    `dense` says that there are so many panels that labels have to be short.
    """

    figure: Figure
    panels: list[Axes]
    dense: bool


def sheet(count: int, title: str, dense_note: str) -> Sheet:
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
    return Sheet(figure, panels, dense)


def _panel_height(across: int, *, dense: bool) -> float:
    if across == 1:
        return 1.9
    return 1.05 if dense else 1.55


def _label_outside(panels: list[Axes], down: int) -> None:
    """Time is told below each column only: its lowest panel bears the labels."""
    for at, panel in enumerate(panels):
        lowest = at % down == down - 1 or at == len(panels) - 1
        panel.tick_params(labelbottom=lowest)


def line_ticks(lines: int, busy_max: int, top: int, *, dense: bool) -> list[int]:
    """Choose numbers for an axis of lines 0..top, far enough apart to be read.

    Always 0 and `lines`; `busy_max` if it is beyond them; then every so many.
    """
    step = max(1, ceil(top / (2 if dense else 4)))
    ticks = {0, lines}
    if busy_max - lines > step * 0.5:
        ticks.add(busy_max)
    far = {tick for tick in range(0, top, step) if min(abs(tick - t) for t in ticks) > step * 0.6}
    return sorted(ticks | far)
