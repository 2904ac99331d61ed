"""How all pictures look, and how they are written.

Colours are Okabe and Ito's, told apart by colour-blind readers; what colour says is said a second
time by place, hatching, line style or a number, for print without colour.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9.5,
    "axes.titlepad": 4,
    "hatch.linewidth": 0.8,
    "svg.hashsalt": "hgeisim",
}
BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILION, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
TAKEN_FILL, EXHAUSTED, MISSING, CAPACITY, OFFLINE = "#9ED3F2", ORANGE, VERMILION, BLACK, "#D9D9D9"
MISSING_HATCH, OFFLINE_HATCH = "/////", "xxxx"
DPI = 110


@contextmanager
def styled() -> Iterator[None]:
    """Draw in this style, whatever a user has set up for matplotlib."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)  # type: ignore[arg-type]
        yield


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG or SVG, by the suffix; the same figure gives the same bytes."""
    form = path.suffix.lower().lstrip(".")
    metadata = {"Software": None} if form == "png" else {"Date": None, "Creator": None}
    picture = io.BytesIO()
    with styled():
        figure.savefig(picture, format=form, dpi=DPI, metadata=metadata)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_bytes(picture.getvalue())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def percent(share: float) -> str:
    """Write a share with as many digits as mean something, never rounded to none or to all."""
    if 0 < share < 0.001:
        return "<0.1%"
    if 0.999 < share < 1:
        return ">99.9%"
    return f"{share:.1%}".replace(".0%", "%")


def time_unit(end_ns: int) -> tuple[str, int]:
    """Return the largest unit that fits into the time, and its nanoseconds."""
    units = (("s", 10**9), ("ms", 10**6), ("µs", 10**3))
    return next((unit for unit in units if end_ns >= unit[1]), ("ns", 1))


def name_decades(panel: Axes) -> None:
    """Write the times of a log scale in x at each power of ten."""
    panel.xaxis.set_major_locator(LogLocator(10, numticks=12))
    panel.xaxis.set_minor_locator(NullLocator())
    panel.xaxis.set_major_formatter(FuncFormatter(_round_time))


def _round_time(ns: float, _: object) -> str:
    return short_time(ns).replace(".00 ", " ").replace(".0 ", " ")


def short_time(ns: float) -> str:
    """Write a time with three digits: 140 ns, 7.46 µs, 1.59 ms."""
    unit, unit_ns = time_unit(round(ns))
    value = ns / unit_ns
    if unit == "ns" or value >= 100:
        return f"{value:.0f} {unit}"
    return f"{value:.2f} {unit}" if value < 10 else f"{value:.1f} {unit}"
