"""The picture of a run: how many HGEI lines of each HART are taken, under the line of its capacity.

Lines that do not exist matter most, so they are hatched as well.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from hgeisim.plot.page import PanelGrid, legend_columns, line_ticks, panel_grid
from hgeisim.plot.style import (
    BLUE,
    CAPACITY,
    EXHAUSTED,
    MISSING,
    MISSING_HATCH,
    OFFLINE,
    TAKEN_FILL,
    WITHHELD,
    styled,
)
from hgeisim.runs.occupancy_steps import Steps, Windows
from hgeisim.runs.recording import Recording, offline_label
from hgeisim.runs.units import percent, time_unit

DENSE_NOTE = "each panel: HART number · its lines, and the share of time in which it was exhausted"
"""The meaning of the short labels, where long ones do not fit."""
SCALE_SHARED_MAX = 4
"""Most times by which the largest HART may exceed the smallest for both to have one scale."""
THIN_FROM = 150
"""Steps of a HART from which its curve is thin, so as not to hide what it encloses."""
STEPS_MAX = 4000
"""Steps of a HART above which SVG holds its curve as pixels, or the file would be huge."""


def occupancy_figure(recording: Recording) -> Figure:
    """Draw a panel for each HART over the same time."""
    with styled():
        harts, offline = recording.steps, recording.offline
        page = panel_grid(len(harts), recording.title, DENSE_NOTE)
        unit, unit_ns = time_unit(recording.timeline.last_ns)
        for number, steps in enumerate(harts):
            pen = 0.6 if page.dense or len(steps.busy) >= THIN_FROM else 1.1
            _draw(page.panels[number], steps, offline[number], unit_ns, pen)
            _name(page, number, steps)
        _scale(page, harts)
        _explain(page.figure, harts, offline, f"time, {unit}")
    return page.figure


def _draw(panel: Axes, steps: Steps, offline: Windows, unit_ns: int, pen: float) -> None:
    edges = steps.edges_ns / unit_ns
    many = len(steps.busy) > STEPS_MAX
    _shade(panel, offline, unit_ns, color=OFFLINE, zorder=0)
    full = [(start / unit_ns, (end - start) / unit_ns) for start, end in steps.exhausted]
    panel.broken_barh(full, (0, steps.lines), color=EXHAUSTED, alpha=0.55, zorder=1, linewidth=0)
    below = np.where(steps.busy < steps.lines, steps.busy, 0)
    panel.stairs(below, edges, fill=True, color=TAKEN_FILL, zorder=2, rasterized=many)
    panel.stairs(
        np.maximum(steps.busy, steps.lines),
        edges,
        baseline=steps.lines,
        fill=True,
        facecolor="white",
        edgecolor=MISSING,
        hatch=MISSING_HATCH,
        linewidth=0,
        zorder=3,
        rasterized=many,
    )
    panel.stairs(steps.busy, edges, baseline=None, color=BLUE, lw=pen, zorder=4, rasterized=many)
    if steps.withheld:
        panel.axhspan(steps.lines, steps.lines + steps.withheld, zorder=0, **WITHHELD)
    panel.axhline(steps.lines, color=CAPACITY, linestyle=(0, (4, 2)), linewidth=1.6, zorder=5)
    panel.set_xlim(0, max(edges[-1], 1 / unit_ns))


def _shade(panel: Axes, windows: Windows, unit_ns: int, **style: Any) -> None:
    """Colour spans of time over the whole height of the panel."""
    spans = [(start / unit_ns, (end - start) / unit_ns) for start, end in windows]
    across = panel.get_xaxis_transform()
    panel.broken_barh(spans, (0, 1), transform=across, linewidth=0, **style)


def _name(page: PanelGrid, number: int, steps: Steps) -> None:
    """Write the HART at the left of its panel, and how long it was exhausted at the right."""
    panel, share = page.panels[number], percent(steps.exhausted_share)
    size = 7.5 if page.dense else 9.5
    unit = "" if page.dense else " line" + "s" * (steps.name != "1")
    panel.set_title(
        f"HART {number} · {steps.name}{unit}", loc="left", fontsize=size, fontweight="bold"
    )
    text = share if page.dense else f"exhausted {share}"
    panel.set_title(text, loc="right", fontsize=size, color="black" if share != "0%" else "0.45")


def _scale(page: PanelGrid, harts: list[Steps]) -> None:
    """Give all panels one scale, unless that would flatten the small HARTs."""
    tops = [max(steps.lines + steps.withheld, steps.busy_max, 1) for steps in harts]
    shared = max(tops) <= SCALE_SHARED_MAX * min(tops)
    for panel, top, steps in zip(page.panels, tops, harts, strict=True):
        panel_top = max(tops) if shared else top
        panel.set_ylim(0, panel_top * 1.12)
        panel.set_yticks(line_ticks(steps.lines, steps.busy_max, panel_top, dense=page.dense))
        panel.xaxis.set_major_locator(MaxNLocator(4 if page.dense else 8, steps=[1, 2, 5, 10]))
        panel.tick_params(labelsize=7 if page.dense else 8.5, length=2.5)


def _explain(figure: Figure, harts: list[Steps], offline: list[Windows], time: str) -> None:
    """Write the axes' names and the one legend, of what is in the picture only."""
    width, height = figure.get_size_inches()
    figure.text(0.5, 0.5 / height, time, ha="center", va="center", fontsize=10)
    figure.text(0.2 / width, 0.5, "HGEI lines taken", rotation=90, ha="center", va="center")
    keys: list[Artist] = [
        Patch(facecolor=TAKEN_FILL, edgecolor=BLUE, label="lines taken"),
        Line2D(
            [], [], color=CAPACITY, linestyle=(0, (4, 2)), linewidth=1.6, label="lines to be had"
        ),
        Patch(facecolor=EXHAUSTED, alpha=0.55, label="exhausted: no line left"),
    ]
    if any(steps.withheld for steps in harts):
        keys.append(Patch(label="lines that the kernel withholds", **WITHHELD))
    if any(steps.busy_max > steps.lines for steps in harts):
        label = "lines that do not exist"
        keys.append(Patch(facecolor="white", edgecolor=MISSING, hatch=MISSING_HATCH, label=label))
    if any(offline):
        keys.append(Patch(facecolor=OFFLINE, label=offline_label(offline)))
    figure.legend(
        handles=keys,
        loc="lower center",
        ncols=legend_columns(keys, width),
        frameon=False,
        bbox_to_anchor=(0.5, 0.04 / height),
        borderaxespad=0,
    )
