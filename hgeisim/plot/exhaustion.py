"""The heat map of a run: which HART was out of lines when, and how many were so together."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from hgeisim.plot.page import Page, page
from hgeisim.plot.style import (
    BLACK,
    EXHAUSTED,
    MISSING,
    MISSING_HATCH,
    OFFLINE,
    OFFLINE_HATCH,
    styled,
)
from hgeisim.runs.occupancy_steps import Steps, Windows
from hgeisim.runs.recording import Recording, offline_label
from hgeisim.runs.units import percent, time_unit

BINS = 240
"""Columns of the map."""
HEAT = LinearSegmentedColormap.from_list("exhausted", ["#FFFFFF", "#FFE3A3", EXHAUSTED, "#4A2500"])
"""From never to always; darker is more also without colour."""
NOTE = "each row: HART number · its lines, and at the right the share of time with no line left"
_WIDTH, _LEFT, _RIGHT, _ROWS_HEIGHT_MAX = 13.0, 1.05, 0.75, 12.0
_ROW_HEIGHTS = (0.15, 0.36)


def exhaustion_figure(recording: Recording) -> Figure:
    """Draw a row for each HART, and below them the number that is exhausted at each time."""
    with styled():
        harts = recording.steps
        row = min(max(6.0 / len(harts), _ROW_HEIGHTS[0]), _ROW_HEIGHTS[1])
        height = min(row * len(harts), _ROWS_HEIGHT_MAX)
        made = page(f"{recording.title}\n{NOTE}", _WIDTH, height + 2.05)
        width = _WIDTH - _LEFT - _RIGHT
        panel = made.axes(_LEFT, 0, width, height)
        draw_heat(panel, recording)
        _name_rows(panel, harts, height)
        below = made.axes(_LEFT, height + 0.28, width, 0.85)
        _draw_count(below, recording)
        _explain(made, recording)
    return made.figure


def draw_heat(panel: Axes, recording: Recording) -> None:
    """Draw the map itself: the share of each bin of time in which a HART was exhausted."""
    unit, unit_ns = time_unit(recording.end_ns)
    end = recording.end_ns / unit_ns
    shares = np.array([heat(steps, recording.end_ns) for steps in recording.steps])
    edges = np.linspace(0, end, BINS + 1)
    rows = np.arange(len(shares) + 1) - 0.5
    panel.pcolormesh(edges, rows, shares, cmap=HEAT, vmin=0, vmax=1, rasterized=True)
    for number, steps in enumerate(recording.steps):
        _hatch(panel, number, recording.offline[number], unit_ns, ("0.55", OFFLINE_HATCH))
        _hatch(panel, number, steps.beyond, unit_ns, (MISSING, MISSING_HATCH))
    panel.set_ylim(len(shares) - 0.5, -0.5)
    panel.set_xlim(0, end)
    panel.spines[["left", "bottom"]].set_visible(False)
    panel.set_xlabel(f"time, {unit}")
    panel.set_yticks([])
    panel.xaxis.set_major_locator(MaxNLocator(10, steps=[1, 2, 5, 10]))


def heat(steps: Steps, end_ns: int) -> NDArray[np.float64]:
    """Return for each bin the share of it in which no line was left, 0..1."""
    points, sums, total = [0], [0], 0
    for start, end in steps.exhausted:
        points += [start, end]
        sums += [total, total + end - start]
        total += end - start
    edges = np.linspace(0, end_ns, BINS + 1)
    spent = np.interp(edges, [*points, end_ns], [*sums, total])
    return np.clip(np.diff(spent) / (end_ns / BINS), 0, 1)


def _hatch(panel: Axes, row: int, windows: Windows, unit_ns: int, look: tuple[str, str]) -> None:
    spans = [(start / unit_ns, (end - start) / unit_ns) for start, end in windows]
    if spans:
        color, hatch = look
        face = OFFLINE if hatch == OFFLINE_HATCH else "white"
        panel.broken_barh(
            spans, (row - 0.5, 1), facecolor=face, edgecolor=color, hatch=hatch, linewidth=0
        )


def _name_rows(panel: Axes, harts: list[Steps], height: float) -> None:
    """Name each row at its left, or every n-th row where they are low; the share at its right."""
    every = next(n for n in (1, 2, 4, 8, 16, 32, 64) if height / len(harts) * n >= 0.14)
    size = 9 if height / len(harts) > 0.2 else 7
    rows = range(0, len(harts), every)
    panel.set_yticks(rows, [f"HART {row} · {harts[row].name}" for row in rows], fontsize=size)
    panel.tick_params(axis="y", length=0)
    panel.set_xlabel("")
    panel.tick_params(axis="x", labelbottom=False)
    for row in rows:
        share = harts[row].exhausted_share
        color = BLACK if share else "0.55"
        panel.annotate(
            percent(share), (1, row), (5, 0), ("axes fraction", "data"), "offset points",
            va="center", fontsize=size, color=color, annotation_clip=False,
        )  # fmt: skip
    for before, after in pairwise(range(len(harts))):
        panel.axhline((before + after) / 2, color="0.85", linewidth=0.4)


def _draw_count(panel: Axes, recording: Recording) -> None:
    """Draw how many HARTs are exhausted at a time."""
    unit, unit_ns = time_unit(recording.end_ns)
    windows = [window for steps in recording.steps for window in steps.exhausted]
    changes = sorted([(at, 1) for at, _ in windows] + [(at, -1) for _, at in windows])
    at = np.array([0, *(at for at, _ in changes), recording.end_ns]) / unit_ns
    count = np.cumsum([0, *(step for _, step in changes)])
    panel.stairs(count, at, fill=True, color=EXHAUSTED, alpha=0.55, rasterized=len(at) > 4000)
    panel.stairs(count, at, baseline=None, color="#4A2500", lw=0.7, rasterized=len(at) > 4000)
    panel.set_xlim(0, recording.end_ns / unit_ns)
    panel.set_ylim(0, max(1, count.max()) * 1.08)
    panel.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    panel.set_title("HARTs exhausted together", loc="left", fontsize=8.5, pad=3)
    panel.set_xlabel(f"time, {unit}")
    panel.xaxis.set_major_locator(MaxNLocator(10, steps=[1, 2, 5, 10]))


def _explain(made: Page, recording: Recording) -> None:
    keys: list[Artist] = [
        Patch(facecolor=HEAT(share), edgecolor="0.7", label=label)
        for share, label in ((0.0, "a line is free"), (0.5, "half of the time"), (1.0, "exhausted"))
    ]
    if any(recording.offline):
        label = offline_label(recording.offline)
        keys.append(Patch(facecolor=OFFLINE, edgecolor="0.55", hatch=OFFLINE_HATCH, label=label))
    if any(steps.beyond for steps in recording.steps):
        label = "lines taken that do not exist"
        keys.append(Patch(facecolor="white", edgecolor=MISSING, hatch=MISSING_HATCH, label=label))
    made.legend(keys)
