"""The style of all pictures, and how they are written.

Colours are Okabe and Ito's, told apart by colour-blind readers; what colour says is said a second
time by place, hatching, line style or a number, for print without colour.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from warnings import catch_warnings, filterwarnings

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from hgeisim.runs.atomic_folder import put_file
from hgeisim.runs.units import short_time

STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9.5,
    "axes.titlepad": 4,
    "hatch.linewidth": 0.8,
    "svg.hashsalt": "hgeisim",
    "text.parse_math": False,  # a title may say $5
}
BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILION, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
TAKEN_FILL, EXHAUSTED, MISSING, CAPACITY, OFFLINE = "#9ED3F2", ORANGE, VERMILION, BLACK, "#D9D9D9"
MISSING_HATCH, OFFLINE_HATCH = "/////", "xxxx"
WITHHELD: dict[str, Any] = {
    "facecolor": "none", "edgecolor": "0.65", "hatch": "....", "linewidth": 0,
}  # fmt: skip
"""The look of lines that exist and that the kernel does not hand out."""
DPI = 110


@contextmanager
def styled() -> Iterator[None]:
    """Draw in this style, whatever a user has set up for matplotlib."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)  # type: ignore[arg-type]
        yield


def picture_of(figure: Figure, form: str) -> bytes:
    """A figure as "png" or "svg"; the same figure gives the same bytes."""
    metadata = {"Software": None} if form == "png" else {"Date": None, "Creator": None}
    picture = io.BytesIO()
    with styled(), catch_warnings():
        filterwarnings("ignore", r"Glyph .* missing from font")  # a box stands for it
        figure.savefig(picture, format=form, dpi=DPI, metadata=metadata)
    return picture.getvalue()


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG or SVG, by the suffix; InputError when that cannot be."""
    put_file(path, picture_of(figure, path.suffix.lower().lstrip(".")))


def name_decades(panel: Axes) -> None:
    """Write the times of a log scale in x at each power of ten."""
    panel.xaxis.set_major_locator(LogLocator(10, numticks=12))
    panel.xaxis.set_minor_locator(NullLocator())
    panel.xaxis.set_major_formatter(FuncFormatter(_round_time))


def _round_time(ns: float, _: object) -> str:
    return short_time(ns).replace(".00 ", " ").replace(".0 ", " ")
