"""Waits for locks: by class, and for the HGEI locks by HART."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hgeisim.plot.page import page
from hgeisim.plot.style import BLUE, VERMILION, name_decades, styled
from hgeisim.runs.measures import lock_totals
from hgeisim.runs.recording import Recording
from hgeisim.runs.tables import HGEI_LOCK, Records
from hgeisim.runs.units import short_time, time_unit

CLASSES_MAX = 14
"""Classes that are shown, those with the longest waits."""
NOTE = "by class, those with the longest waits first; readers and writers together"
_WIDTH, _LEFT, _RIGHT, _ROW = 13.0, 2.15, 0.35, 0.3


def locks_figure(recording: Recording) -> Figure:
    """Draw waits and holds of each class side by side, and below them the HGEI lock of each
    HART."""
    with styled():
        locks = recording.tables["locks"]
        totals = top_classes(locks, CLASSES_MAX)
        height = _ROW * max(len(totals), 3)
        made = page(f"{recording.title}\n{NOTE}", _WIDTH, height + 2.85)
        half = (_WIDTH - _LEFT - _RIGHT - 0.4) / 2
        waits = made.axes(_LEFT, 0.1, half, height)
        draw_waits(waits, totals)
        waits.set_title("waits, in all", loc="left", fontweight="bold")
        holds = made.axes(_LEFT + half + 0.4, 0.1, half, height)
        _draw_holds(holds, totals)
        holds.set_title("holds", loc="left", fontweight="bold")
        below = made.axes(_LEFT, height + 0.95, _WIDTH - _LEFT - _RIGHT, 1.2)
        _draw_harts(below, locks)
    return made.figure


def top_classes(locks: Records, most: int) -> list[tuple[str, dict[str, int]]]:
    """The classes with the longest waits, then those that were held longest."""
    totals = lock_totals(locks).items()
    return sorted(totals, key=_least_first)[:most]


def _least_first(entry: tuple[str, dict[str, int]]) -> tuple[int, int, str]:
    name, use = entry
    return -use["wait_ns_total"], -use["hold_ns_total"], name


def draw_waits(panel: Axes, totals: list[tuple[str, dict[str, int]]]) -> None:
    """Draw a bar of all waits for each class."""
    waits = [use["wait_ns_total"] for _, use in totals]
    panel.barh(range(len(totals)), waits, 0.66, color=VERMILION)
    for row, (_, use) in enumerate(totals):
        label, color = f"0 of {use['acquisitions']:,}", "0.5"
        if use["contended"]:
            count = f"{use['contended']:,} of {use['acquisitions']:,}"
            label = f"{short_time(waits[row])} in {count}, longest {short_time(use['wait_ns_max'])}"
            color = "black"
        place = (waits[row], row)
        panel.annotate(
            label, place, (4, 0), textcoords="offset points", va="center", fontsize=8, color=color
        )
    panel.set_xlim(0, max([*waits, 1]) * 2.1)
    panel.set_ylim(max(len(totals), 1) - 0.4, -0.6)
    panel.set_yticks(range(len(totals)), [name for name, _ in totals])
    panel.tick_params(axis="y", length=0)
    panel.xaxis.set_visible(False)
    panel.spines["bottom"].set_visible(False)


def _draw_holds(panel: Axes, totals: list[tuple[str, dict[str, int]]]) -> None:
    """Draw for each class how long it was held, from the mean to the longest, on a log scale."""
    rows = [
        row for row, (_, use) in enumerate(totals) if use["hold_ns_max"] and use["acquisitions"]
    ]
    longest = [totals[row][1]["hold_ns_max"] for row in rows]
    means = [totals[row][1]["hold_ns_total"] / totals[row][1]["acquisitions"] for row in rows]
    panel.hlines(rows, means, longest, color=BLUE, linewidth=1.2)
    panel.plot(means, rows, "o", color=BLUE, markersize=6, label="mean")
    panel.plot(longest, rows, "|", color=BLUE, markersize=11, mew=2, label="longest")
    panel.set_xscale("log")
    panel.set_xlim(min([*means, 10]) / 2, max([*longest, 1000]) * 3)
    name_decades(panel)
    panel.set_yticks(range(len(totals)), [])
    panel.set_ylim(max(len(totals), 1) - 0.4, -0.6)
    panel.tick_params(axis="y", length=0)
    panel.grid(axis="both", color="0.88", linewidth=0.6)
    panel.set_axisbelow(True)
    panel.legend(loc="upper right", bbox_to_anchor=(1, 1.1), ncols=2, frameon=False)


def _draw_harts(panel: Axes, locks: Records) -> None:
    """Draw a bar for each HART: waits for its HGEI lock."""
    mine = locks[locks["class"] == HGEI_LOCK]
    waits: Any = mine["wait_ns_total"]
    unit, unit_ns = time_unit(int(waits.max(initial=0)))
    harts = np.arange(len(mine))
    panel.bar(harts, waits / unit_ns, 0.7, color=VERMILION)
    longest = np.where(waits, mine["wait_ns_max"] / unit_ns, np.nan)
    panel.plot(harts, longest, "o", color=BLUE, markersize=4, label="the longest one")
    if not waits.any():
        panel.text(0.5, 0.5, "nobody waited", transform=panel.transAxes, ha="center", va="center")
    panel.set_xlim(-0.6, len(mine) - 0.4)
    panel.set_ylim(0, max(waits.max(initial=0) / unit_ns, 1) * 1.12)
    every = next(n for n in (1, 2, 4, 8, 16, 32, 64) if len(mine) <= 40 * n)
    panel.set_xticks(harts[::every])
    panel.set_xlabel("HART")
    panel.set_ylabel(unit)
    panel.set_title(f"waits for {HGEI_LOCK} of each HART, in all", loc="left", fontweight="bold")
    panel.legend(loc="upper right", bbox_to_anchor=(1, 1.28), frameon=False, fontsize=8.5)
