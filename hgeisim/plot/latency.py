"""Latencies: of MSIs and SGEIs on their way, and of vCPUs that look for a VS-file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hgeisim.plot.page import page
from hgeisim.plot.style import (
    BLACK,
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    name_decades,
    styled,
)
from hgeisim.runs.measures import durations, spread
from hgeisim.runs.recording import Recording
from hgeisim.runs.tables import Records
from hgeisim.runs.timeline import Column
from hgeisim.runs.units import short_time

POINTS_MAX = 2000
"""Points of a curve; for more times than that, quantiles are drawn."""
NOTE = "share of all that took at most so long (log scale); dots mark p50 and p99"
_WIDTH, _LEFT, _RIGHT, _GAP, _HEIGHT = 13.0, 0.7, 0.25, 0.45, 3.3


@dataclass(frozen=True)
class Curve:
    """A kind of span and how it is drawn: one look for each, by colour and by dashes."""

    kind: str
    label: str
    color: str
    dashes: tuple[float, ...]


PANELS = (
    (
        "MSI, from arrival to the guest",
        (
            Curve("msi-vsfile", "VS-file", BLUE, ()),
            Curve("msi-swfile", "SW-file", VERMILION, (5, 2)),
        ),
    ),
    (
        "SGEI",
        (
            Curve("sgei-taken", "raised to handler", GREEN, ()),
            Curve("sgei-served", "handler to owner runs", PURPLE, (5, 2)),
        ),
    ),
    (
        "looking for a VS-file (imsic_update)",
        (
            Curve("attach", "SW- to VS-file", SKY, ()),
            Curve("move", "moved to another HART", BLACK, (5, 2)),
            Curve("fallback", "no line: SW-file", ORANGE, (1, 1.5)),
            Curve("refused", "no line: entry failed", VERMILION, (5, 1.5, 1, 1.5)),
        ),
    ),
)


def latency_figure(recording: Recording) -> Figure:
    """Draw three panels of cumulative distributions, each curve with its count and quantiles."""
    with styled():
        made = page(f"{recording.title}\n{NOTE}", _WIDTH, _HEIGHT + 1.5)
        width = (_WIDTH - _LEFT - _RIGHT - _GAP * (len(PANELS) - 1)) / len(PANELS)
        for number, (title, curves) in enumerate(PANELS):
            panel = made.axes(_LEFT + number * (width + _GAP), 0.1, width, _HEIGHT)
            draw_curves(panel, recording.tables["spans"], curves)
            panel.set_title(title, loc="left", fontweight="bold")
            panel.tick_params(labelleft=number == 0)
            explain_curves(panel, 0.12, 8)
    return made.figure


def draw_curves(panel: Axes, spans: Records, curves: tuple[Curve, ...]) -> None:
    """Draw the distribution of each kind that there was."""
    drawn = [(curve, durations(spans, curve.kind)) for curve in curves]
    drawn = [(curve, sorted_ns) for curve, sorted_ns in drawn if len(sorted_ns)]
    for curve, sorted_ns in drawn:
        _draw(panel, curve, sorted_ns)
    if not drawn:
        panel.text(0.5, 0.5, "there was none", transform=panel.transAxes, ha="center", color="0.5")
    panel.set_xscale("log")
    _limit(panel, [sorted_ns for _, sorted_ns in drawn])
    panel.set_ylim(0, 1.03)
    panel.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0%", "25%", "50%", "75%", "100%"])
    panel.grid(color="0.88", linewidth=0.6)
    panel.set_axisbelow(True)


def explain_curves(panel: Axes, below: float, size: float) -> None:
    """Write the legend, if there is a curve, `below` the axis in heights of the panel."""
    handles, labels = panel.get_legend_handles_labels()
    if handles:
        place = (-0.02, -below)
        panel.legend(
            handles, labels, loc="upper left", bbox_to_anchor=place, frameon=False, fontsize=size
        )


def _draw(panel: Axes, curve: Curve, sorted_ns: Column) -> None:
    count = len(sorted_ns)
    ranks = np.unique(np.linspace(1, count, min(count, POINTS_MAX)).round().astype(np.int64))
    times = np.maximum(sorted_ns[ranks - 1], 1)
    found = spread(sorted_ns)
    p50, p99 = found["p50_ns"], found["p99_ns"]
    label = f"{curve.label}: {count:,}, p50 {short_time(p50)}, p99 {short_time(p99)}"
    style: dict[str, Any] = {"color": curve.color, "dashes": curve.dashes, "linewidth": 1.7}
    first = np.concatenate((times[:1], times)), np.concatenate(([0], ranks / count))
    panel.plot(*first, drawstyle="steps-post", label=label, **style)
    panel.plot(np.maximum([p50, p99], 1), [0.5, 0.99], "o", color=curve.color, markersize=5)


def _limit(panel: Axes, drawn: list[Column]) -> None:
    """Show whole decades, and name each."""
    low = min([1_000_000, *(int(each[0]) for each in drawn)])
    high = max([low * 10, *(int(each[-1]) for each in drawn)])
    panel.set_xlim(max(low, 1) / 1.5, high * 1.5)
    name_decades(panel)
