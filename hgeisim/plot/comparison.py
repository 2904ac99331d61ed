"""The picture of a comparison: differences HART by HART, and seed by seed."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from hgeisim.plot.page import page
from hgeisim.plot.style import BLACK, BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILION, styled

COLORS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK)
MARKS = "os^Dv<>"
_WIDTH, _LEFT, _RIGHT, _PANEL, _GAP = 10.0, 0.85, 0.25, 2.1, 0.85


def comparison_figure(document: dict[str, Any]) -> Figure:
    """Draw a panel for each metric that HARTs have, and one for the seeds, from the document of
    `hgeisim compare`."""
    with styled():
        harts = [name for name, found in document["harts"].items() if any(found.values())]
        panels = len(harts) + bool(document["seeds_apart"])
        made = page(_title(document), _WIDTH, panels * (_PANEL + _GAP) + 0.35)
        width = _WIDTH - _LEFT - _RIGHT
        for at, name in enumerate(harts):
            panel = made.axes(_LEFT, at * (_PANEL + _GAP), width, _PANEL)
            _draw_harts(panel, document, name)
        if document["seeds_apart"]:
            panel = made.axes(_LEFT, len(harts) * (_PANEL + _GAP), width, _PANEL)
            _draw_seeds(panel, document)
        if panels:
            handles, _ = panel.get_legend_handles_labels()
            made.legend(handles)
    return made.figure


def _title(document: dict[str, Any]) -> str:
    first, *others = document["variants"].items()
    names = ", ".join(f"{letter} = {name}" for letter, name in [first, *others])
    many = f"{document['replications']} replications, {document['level']:g} % intervals"
    return f"{document['title'] or document['scenario']}\n{names}\n{many}, common random numbers"


def _draw_harts(panel: Axes, document: dict[str, Any], name: str) -> None:
    first = next(iter(document["variants"]))
    others = [(other, rows) for other, rows in document["harts"][name].items() if rows]
    unit = 0.01 if name.endswith("_time") else 1
    for at, (other, rows) in enumerate(others):
        shift = (at - (len(others) - 1) / 2) * 0.6 / max(len(others), 1)
        values = [row["value"] / unit for row in rows]
        below = [(row["value"] - row["low"]) / unit for row in rows]
        above = [(row["high"] - row["value"]) / unit for row in rows]
        panel.errorbar(
            [row["hart"] + shift for row in rows], values, [below, above],
            fmt=MARKS[at], color=COLORS[at], capsize=3, label=f"{other} - {first}",
        )  # fmt: skip
    panel.axhline(0, color=BLACK, linewidth=0.8)
    panel.set_xlabel("HART")
    panel.set_ylabel(f"{name}, {'points' if unit == 0.01 else 'lines'}")
    panel.xaxis.set_major_locator(MaxNLocator(16, integer=True))


def _draw_seeds(panel: Axes, document: dict[str, Any]) -> None:
    first, *others = document["variants"]
    metric = document["metrics"][0]
    unit = 0.01 if metric["unit"] == "share" else 1
    for at, other in enumerate(others):
        rows = [row for row in document["seeds_apart"] if row["variant"] == other]
        rows.sort(key=lambda row: row["seed"])
        panel.plot(
            [row["seed"] for row in rows], [row["value"] / unit for row in rows],
            MARKS[at], color=COLORS[at], label=f"{other} - {first}",
        )  # fmt: skip
        if (found := metric["differences"].get(other)) and found["low"] is not None:
            panel.axhspan(found["low"] / unit, found["high"] / unit, color=COLORS[at], alpha=0.15)
    panel.axhline(0, color=BLACK, linewidth=0.8)
    panel.set_xlabel("seed")
    panel.set_ylabel(f"{metric['name']}, {'points' if unit == 0.01 else metric['unit']}")
    panel.xaxis.set_major_locator(MaxNLocator(16, integer=True))
