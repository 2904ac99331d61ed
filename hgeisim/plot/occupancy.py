"""The picture of a run: how many HGEI lines of each HART are taken, under the line of its capacity.

Colours are Okabe and Ito's, told apart by colour-blind readers; what matters most (lines that do
not exist) is hatched too, for print without colour.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from hgeisim.plot.sheet import Sheet, line_ticks, sheet, time_unit
from hgeisim.plot.steps import Steps, steps_of_harts
from hgeisim.record.timeline import Timeline
from hgeisim.record.windows import Windows, offline_windows

STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9.5,
    "axes.titlepad": 4,
    "hatch.linewidth": 0.8,
    "svg.hashsalt": "hgeisim",
}
TAKEN_FILL, TAKEN_EDGE, EXHAUSTED, MISSING = "#9ED3F2", "#0072B2", "#E69F00", "#D55E00"
CAPACITY, OFFLINE = "#000000", "#D9D9D9"
DENSE_NOTE = "each panel: HART number · its lines, and the share of time in which it was exhausted"
"""What short labels mean, where there is no room for long ones."""
SCALE_SHARED_MAX = 4
"""Most times by which the largest HART may exceed the smallest for both to have one scale."""
THIN_FROM = 150
"""Steps of a HART from which its curve is thin, so as not to hide what it encloses."""
STEPS_MAX = 4000
"""Steps of a HART above which SVG holds its curve as pixels, or the file would be huge."""


def occupancy_figure(timeline: Timeline, title: str) -> Figure:
    """Draw a panel for each HART over the same time; further lines of `title` are a subtitle."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)
        page = sheet(len(timeline.topology.harts), title, DENSE_NOTE)
        harts = steps_of_harts(timeline)
        offline = offline_windows(timeline)
        unit, unit_ns = time_unit(timeline.last_ns)
        for number, steps in enumerate(harts):
            pen = 0.6 if page.dense or len(steps.busy) >= THIN_FROM else 1.1
            _draw(page.panels[number], steps, offline[number], unit_ns, pen)
            _name(page, number, steps)
        _scale(page, harts)
        _explain(page.figure, harts, any(offline), f"time, {unit}")
    return page.figure


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG or SVG, by the suffix; the same figure gives the same bytes."""
    form = path.suffix.lower().lstrip(".")
    metadata = {"Software": None} if form == "png" else {"Date": None, "Creator": None}
    picture = io.BytesIO()
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)
        figure.savefig(picture, format=form, dpi=110, metadata=metadata)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_bytes(picture.getvalue())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _draw(panel: Axes, steps: Steps, offline: Windows, unit_ns: int, pen: float) -> None:
    edges = steps.edges_ns / unit_ns
    many = len(steps.busy) > STEPS_MAX
    _shade(panel, offline, unit_ns, color=OFFLINE, zorder=0)
    _shade(panel, steps.exhausted, unit_ns, color=EXHAUSTED, alpha=0.55, zorder=1)
    below = np.where(steps.busy < steps.lines, steps.busy, 0)
    panel.stairs(below, edges, fill=True, color=TAKEN_FILL, zorder=2, rasterized=many)
    panel.stairs(
        np.maximum(steps.busy, steps.lines),
        edges,
        baseline=steps.lines,
        fill=True,
        facecolor="white",
        edgecolor=MISSING,
        hatch="/////",
        linewidth=0,
        zorder=3,
        rasterized=many,
    )
    panel.stairs(
        steps.busy, edges, baseline=None, color=TAKEN_EDGE, lw=pen, zorder=4, rasterized=many
    )
    panel.axhline(steps.lines, color=CAPACITY, linestyle=(0, (4, 2)), linewidth=1.6, zorder=5)
    panel.set_xlim(0, max(edges[-1], 1 / unit_ns))


def _shade(panel: Axes, windows: Windows, unit_ns: int, **style: Any) -> None:
    """Colour spans of time over the whole height of the panel."""
    spans = [(start / unit_ns, (end - start) / unit_ns) for start, end in windows]
    across = panel.get_xaxis_transform()
    panel.broken_barh(spans, (0, 1), transform=across, linewidth=0, **style)


def _name(page: Sheet, number: int, steps: Steps) -> None:
    """Write what the panel is at its left, and how long it was exhausted at its right."""
    panel, share = page.panels[number], percent(steps.exhausted_share)
    size = 7.5 if page.dense else 9.5
    unit = "" if page.dense else " line" + "s" * (steps.lines != 1)
    panel.set_title(
        f"HART {number} · {steps.lines}{unit}", loc="left", fontsize=size, fontweight="bold"
    )
    text = share if page.dense else f"exhausted {share}"
    panel.set_title(text, loc="right", fontsize=size, color="black" if share != "0%" else "0.45")


def percent(share: float) -> str:
    """Write a share with as many digits as mean something, never rounded to none or to all."""
    if 0 < share < 0.001:
        return "<0.1%"
    if 0.999 < share < 1:
        return ">99.9%"
    return f"{share:.1%}".replace(".0%", "%")


def _scale(page: Sheet, harts: list[Steps]) -> None:
    """Give all panels one scale, unless that would flatten the small HARTs."""
    tops = [max(steps.lines, steps.busy_max, 1) for steps in harts]
    shared = max(tops) <= SCALE_SHARED_MAX * min(tops)
    for panel, top, steps in zip(page.panels, tops, harts, strict=True):
        panel_top = max(tops) if shared else top
        panel.set_ylim(0, panel_top * 1.12)
        panel.set_yticks(line_ticks(steps.lines, steps.busy_max, panel_top, dense=page.dense))
        panel.xaxis.set_major_locator(MaxNLocator(4 if page.dense else 8, steps=[1, 2, 5, 10]))
        panel.tick_params(labelsize=7 if page.dense else 8.5, length=2.5)


def _explain(figure: Figure, harts: list[Steps], any_offline: bool, time: str) -> None:
    """Write the axes' names and the one legend, of what is in the picture only."""
    width, height = figure.get_size_inches()
    figure.text(0.5, 0.5 / height, time, ha="center", va="center", fontsize=10)
    figure.text(0.2 / width, 0.5, "HGEI lines taken", rotation=90, ha="center", va="center")
    keys: list[Artist] = [
        Patch(facecolor=TAKEN_FILL, edgecolor=TAKEN_EDGE, label="lines taken"),
        Line2D(
            [], [], color=CAPACITY, linestyle=(0, (4, 2)), linewidth=1.6, label="lines the HART has"
        ),
        Patch(facecolor=EXHAUSTED, alpha=0.55, label="exhausted: no line left"),
    ]
    if any(steps.busy_max > steps.lines for steps in harts):
        label = "lines that do not exist"
        keys.append(Patch(facecolor="white", edgecolor=MISSING, hatch="/////", label=label))
    if any_offline:
        keys.append(Patch(facecolor=OFFLINE, label="HART offline"))
    figure.legend(
        handles=keys,
        loc="lower center",
        ncols=len(keys),
        frameon=False,
        bbox_to_anchor=(0.5, 0.04 / height),
        borderaxespad=0,
    )
