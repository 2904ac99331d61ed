"""Latencies: of MSIs and SGEIs on their way, and of vCPUs that look for a VS-file.

Each mode has panels of its own, and an interrupt a curve by what its vCPU did when it came.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
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
from hgeisim.runs.measures import durations, modes_of, spread
from hgeisim.runs.recording import Recording
from hgeisim.runs.tables import Records
from hgeisim.runs.timeline import Column
from hgeisim.runs.units import short_time

POINTS_MAX = 2000
"""Points of a curve; for more times than that, quantiles are drawn."""
NOTE = "share of all that took at most so long (log scale); dots mark p50 and p99"
_WIDTH, _LEFT, _RIGHT, _GAP, _HEIGHT, _BELOW = 13.0, 0.7, 0.25, 0.45, 3.3, 1.5


@dataclass(frozen=True)
class Curve:
    """A kind of span, by what it met, and how it is drawn: one look for each, by colour and by
    dashes."""

    kind: str
    label: str
    color: str
    dashes: tuple[float, ...]
    met: str = ""


def by_what_was_met(kind: str) -> tuple[Curve, ...]:
    """The curves of an interrupt."""
    return (
        Curve(kind, "guest ran", BLUE, (), "guest"),
        Curve(kind, "in WFI", PURPLE, (5, 2), "wfi"),
        Curve(kind, "no line", VERMILION, (1, 1.5), "failed"),
        Curve(kind, "no HART", ORANGE, (8, 2), "runnable"),
        Curve(kind, "in host", BLACK, (5, 1.5, 1, 1.5), "host"),
    )


PANELS = (
    ("MSI to a VS-file", by_what_was_met("msi-vsfile")),
    ("MSI to a SW-file", by_what_was_met("msi-swfile")),
    (
        "SGEI to handler, owner",
        (
            Curve("sgei-taken", "to handler", GREEN, (3, 1, 1, 1, 1, 1)),
            *by_what_was_met("sgei-served"),
        ),
    ),
    (
        "looking for a VS-file",
        (
            Curve("attach", "SW- to VS-file", SKY, ()),
            Curve("move", "moved", BLACK, (5, 2)),
            Curve("fallback", "no line: SW-file", ORANGE, (1, 1.5)),
            Curve("refused", "no line: failed", VERMILION, (5, 1.5, 1, 1.5)),
        ),
    ),
)


def latency_figure(recording: Recording) -> Figure:
    """Draw a row of panels for each mode, with cumulative distributions, each curve with its count
    and quantiles."""
    rows, ends = list(spans_by_mode(recording)), shortest_and_longest(recording)
    with styled():
        high = _HEIGHT + _BELOW
        made = page(f"{recording.title}\n{NOTE}", _WIDTH, high * len(rows))
        width = (_WIDTH - _LEFT - _RIGHT - _GAP * (len(PANELS) - 1)) / len(PANELS)
        for row, (mode, spans) in enumerate(rows):
            for number, (title, curves) in enumerate(PANELS):
                left, down = _LEFT + number * (width + _GAP), 0.1 + high * row
                panel = made.axes(left, down, width, _HEIGHT)
                draw_curves(panel, spans, curves, ends)
                name = f"{mode}: {title}" if len(rows) > 1 else title
                panel.set_title(name, loc="left", fontweight="bold")
                panel.tick_params(labelleft=number == 0)
                explain_curves(panel, 0.1, 7.5)
    return made.figure


def spans_by_mode(recording: Recording) -> Iterator[tuple[str, Records]]:
    """Each mode in which VMs ran, that of most vCPUs first, with the spans of its vCPUs and those
    of none; one without a name where there was no vCPU."""
    spans, vcpus = recording.tables["spans"], recording.tables["vcpus"]
    modes = modes_of(spans, vcpus)
    for mode, _ in Counter(vcpus["mode"].tolist()).most_common() or [("", 0)]:
        yield mode, spans[(modes == mode) | (modes == "")]


def shortest_and_longest(recording: Recording) -> tuple[int, int]:
    """The limits of the time axis of all panels, in ns: the same scale everywhere."""
    spans = recording.tables["spans"]
    lasted = spans["end_ns"] - spans["start_ns"]
    low = int(lasted.min(initial=1_000_000))
    return max(low, 1), int(lasted.max(initial=low * 10))


def draw_curves(
    panel: Axes, spans: Records, curves: tuple[Curve, ...], ends: tuple[int, int]
) -> None:
    """Draw the distribution of each kind that there was, on a time axis with these ends."""
    drawn = [(curve, durations(spans, curve.kind, curve.met)) for curve in curves]
    drawn = [(curve, sorted_ns) for curve, sorted_ns in drawn if len(sorted_ns)]
    for curve, sorted_ns in drawn:
        _draw(panel, curve, sorted_ns)
    if not drawn:
        panel.text(0.5, 0.5, "there was none", transform=panel.transAxes, ha="center", color="0.5")
    panel.set_xscale("log")
    panel.set_xlim(ends[0] / 1.5, ends[1] * 1.5)
    name_decades(panel)
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
