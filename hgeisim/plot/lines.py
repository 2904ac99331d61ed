"""The lines of one HART as a Gantt chart: their owners over time, and the vCPUs that got none."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from hgeisim.plot.page import legend_height, page
from hgeisim.plot.style import (
    BLACK,
    BLUE,
    EXHAUSTED,
    MISSING,
    MISSING_HATCH,
    OFFLINE,
    OFFLINE_HATCH,
    VERMILION,
    WITHHELD,
    styled,
)
from hgeisim.plot.vcpu_styles import OTHERS, VcpuStyles, vcpu_styles
from hgeisim.runs.recording import Recording, offline_label
from hgeisim.runs.tables import Records
from hgeisim.runs.timeline import FAIL
from hgeisim.runs.units import percent, time_unit

FAILURES = (("fallback", "SW-file", BLUE), ("refused", "entry failed", VERMILION))
"""The fates of a vCPU that gets no line: kind of span, label and colour of its strip."""
_WIDTH, _LEFT, _RIGHT, _STRIP = 13.0, 1.4, 0.35, 0.26
_ROW_HEIGHTS = (0.17, 0.42)
_BELOW = 0.85
"""Room for the axis of time."""
_LETTER = 0.085
"""Width of a letter of a label, in inches, with room to spare."""
BARS_MAX = 4000
"""Bars above which SVG holds them as pixels, or the file would be huge."""


def lines_figure(recording: Recording, hart: int) -> Figure:
    """Draw a row for each line of a HART, and above them strips of failed allocations."""
    with styled():
        owners = recording.tables["owners"]
        owners = owners[owners["hart"] == hart]
        steps = recording.steps[hart]
        rows = max(steps.lines + steps.withheld, int(owners["line"].max(initial=0)), 1)
        row = min(max(5.0 / rows, _ROW_HEIGHTS[0]), _ROW_HEIGHTS[1])
        strips = _failures(recording, hart)
        count = f"{steps.name} line{'s' * (steps.name != '1')}"
        subtitle = (
            f"HART {hart} · {count} · no line left in {percent(steps.exhausted_share)} of the time"
        )
        fills = vcpu_styles(recording.tables)
        keys = _keys(recording, hart, rows, _shown(fills, owners))
        top = _STRIP * len(strips) + 0.12
        below = _BELOW + legend_height(keys, _WIDTH)
        made = page(f"{recording.title}\n{subtitle}", _WIDTH, top + row * rows + below)
        width = _WIDTH - _LEFT - _RIGHT
        panel = made.axes(_LEFT, top, width, row * rows)
        _draw_rows(panel, recording, hart, rows)
        _draw_bars(panel, recording, owners, fills)
        for number, strip in enumerate(strips):
            _draw_strip(made.axes(_LEFT, _STRIP * number, width, _STRIP), recording, strip)
        made.legend(keys)
    return made.figure


def _failures(recording: Recording, hart: int) -> list[tuple[str, Any, str]]:
    """Name, times in ns and colour of each kind of failed allocation that there was."""
    spans = recording.tables.get("spans")
    if spans is None:
        timeline = recording.timeline
        hits = (np.array(timeline.event_kind) == FAIL) & (np.array(timeline.event_hart) == hart)
        found = [("failed", np.array(timeline.event_time_ns)[hits], VERMILION)]
    else:
        mine = spans[spans["hart"] == hart]
        found = [
            (label, mine["start_ns"][mine["kind"] == kind], color)
            for kind, label, color in FAILURES
        ]
    return [each for each in found if len(each[1])]


def _draw_strip(panel: Axes, recording: Recording, strip: tuple[str, Any, str]) -> None:
    """Draw a tick for each failed allocation."""
    label, times_ns, color = strip
    at = times_ns / time_unit(recording.end_ns)[1]
    panel.vlines(at, 0.12, 0.88, color=color, linewidth=0.8, rasterized=len(at) > BARS_MAX)
    panel.set_xlim(0, recording.end_ns / time_unit(recording.end_ns)[1])
    panel.set_ylim(0, 1)
    panel.axis("off")
    panel.annotate(
        f"{label}: {len(at):,}", (0, 0.5), (-6, 0), "axes fraction",
        "offset points", ha="right", va="center", fontsize=7.5, color=color,
    )  # fmt: skip


def _draw_rows(panel: Axes, recording: Recording, hart: int, rows: int) -> None:
    """Draw the background: when the HART was exhausted or offline, and lines that do not exist."""
    unit, unit_ns = time_unit(recording.end_ns)
    steps = recording.steps[hart]
    panel.set_xlim(0, recording.end_ns / unit_ns)
    panel.set_ylim(rows + 0.5, 0.5)
    lines = (0.5, steps.lines or rows)
    for windows, look in (
        (steps.exhausted, {"color": EXHAUSTED, "alpha": 0.35}),
        (
            recording.offline[hart],
            {"facecolor": OFFLINE, "edgecolor": "0.55", "hatch": OFFLINE_HATCH},
        ),
    ):
        spans = [(start / unit_ns, (end - start) / unit_ns) for start, end in windows]
        panel.broken_barh(spans, lines, linewidth=0, zorder=0, **look)
    there = steps.lines + steps.withheld
    if steps.withheld:
        panel.axhspan(steps.lines + 0.5, there + 0.5, zorder=1, **WITHHELD)
    if rows > there:
        panel.axhspan(
            there + 0.5, rows + 0.5, facecolor="none", edgecolor=MISSING,
            hatch=MISSING_HATCH, linewidth=0, zorder=1,
        )  # fmt: skip
    for line in range(1, rows):
        panel.axhline(line + 0.5, color="0.8", linewidth=0.4, zorder=1)
    panel.set_yticks(range(1, rows + 1), [f"line {line}" for line in range(1, rows + 1)])
    panel.tick_params(axis="y", length=0, labelsize=9 if rows < 20 else 7.5)
    panel.set_xlabel(f"time, {unit}")
    panel.xaxis.set_major_locator(MaxNLocator(10, steps=[1, 2, 5, 10]))


def _draw_bars(panel: Axes, recording: Recording, owners: Records, fills: VcpuStyles) -> None:
    """Draw a bar for each ownership, with the vCPU's name where there is room."""
    unit_ns = time_unit(recording.end_ns)[1]
    letters = (_WIDTH - _LEFT - _RIGHT) / _LETTER / recording.end_ns
    for start, end, _, _, _, line, vcpu in owners.tolist():
        color, hatch = fills.fills[fills.group(vcpu)]
        panel.barh(
            line, (end - start) / unit_ns, 0.78, start / unit_ns, color=color, hatch=hatch,
            edgecolor=BLACK, linewidth=0.5, zorder=2, rasterized=len(owners) > BARS_MAX,
        )  # fmt: skip
        room = (end - start) * letters
        if text := next((text for text in fills.labels(vcpu) if len(text) < room), ""):
            panel.text(
                (start + end) / 2 / unit_ns, line, text, ha="center", va="center", fontsize=7.5,
                zorder=3, bbox={"facecolor": color, "edgecolor": "none", "pad": 0.2},
            )  # fmt: skip


def _shown(fills: VcpuStyles, owners: Records) -> dict[str, tuple[str, str]]:
    """The looks that are in the picture, by what they stand for."""
    used = {fills.group(vcpu) for vcpu in owners["vcpu"].tolist()}
    return {_owner(group): fill for group, fill in fills.fills.items() if group in used}


def _owner(group: str) -> str:
    if group in ("", OTHERS):
        return f"owned by {group or 'a vCPU'}"
    return f"owned by VM {group}"


def _keys(
    recording: Recording, hart: int, rows: int, shown: dict[str, tuple[str, str]]
) -> list[Artist]:
    """The legend, of what is in the picture only."""
    keys: list[Artist] = [
        Patch(facecolor=color, hatch=hatch, edgecolor=BLACK, linewidth=0.5, label=label)
        for label, (color, hatch) in shown.items()
    ]
    steps = recording.steps[hart]
    if FAIL in recording.timeline.event_kind:
        label = "an allocation failed"
        keys.append(Line2D([], [], color="0.2", marker="|", linestyle="", label=label))
    if steps.exhausted:
        keys.append(Patch(facecolor=EXHAUSTED, alpha=0.35, label="exhausted: no line left"))
    if recording.offline[hart]:
        label = offline_label(recording.offline)
        keys.append(Patch(facecolor=OFFLINE, edgecolor="0.55", hatch=OFFLINE_HATCH, label=label))
    if steps.withheld:
        keys.append(Patch(label="lines that the kernel withholds", **WITHHELD))
    if rows > steps.lines + steps.withheld:
        label = "lines that do not exist"
        keys.append(Patch(facecolor="none", edgecolor=MISSING, hatch=MISSING_HATCH, label=label))
    return keys or [Line2D([], [], color="none", label="no line was ever taken")]
