"""The lines of one HART as a Gantt chart: who owned which from when to when, and who got none."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from hgeisim.plot.page import Page, page
from hgeisim.plot.recording import Recording
from hgeisim.plot.style import (
    BLACK,
    BLUE,
    EXHAUSTED,
    GREEN,
    MISSING,
    MISSING_HATCH,
    OFFLINE,
    OFFLINE_HATCH,
    PURPLE,
    SKY,
    VERMILION,
    YELLOW,
    styled,
)
from hgeisim.record.table import Records
from hgeisim.record.tables import vcpu_names
from hgeisim.record.timeline import FAIL
from hgeisim.record.units import percent, time_unit

FILLS = ((SKY, ""), (YELLOW, ""), (GREEN, ".."), (PURPLE, "\\\\"), ("#FFFFFF", "--"), (BLUE, "++"))
"""Colour and hatching of a VM's bars, by turns."""
FAILURES = (("fallback", "SW-file", BLUE), ("refused", "entry failed", VERMILION))
"""What becomes of a vCPU that gets no line: kind of span, label and colour of its strip."""
_WIDTH, _LEFT, _RIGHT, _STRIP = 13.0, 1.4, 0.35, 0.26
_ROW_HEIGHTS = (0.17, 0.42)
_LETTER = 0.085
"""Width of a letter of a label, in inches, with room to spare."""
Legend = list[str | None]
"""The VMs in the order of their fills, None for one that is not in the picture."""
BARS_MAX = 4000
"""Bars above which SVG holds them as pixels, or the file would be huge."""


def lines_figure(recording: Recording, hart: int) -> Figure:
    """Draw a row for each line of a HART, and above them strips of failed allocations."""
    with styled():
        owners = recording.tables["owners"]
        owners = owners[owners["hart"] == hart]
        steps = recording.harts[hart]
        rows = max(steps.lines, int(owners["line"].max(initial=0)), 1)
        row = min(max(5.0 / rows, _ROW_HEIGHTS[0]), _ROW_HEIGHTS[1])
        strips = _failures(recording, hart)
        count = f"{steps.lines} line{'s' * (steps.lines != 1)}"
        told = (
            f"HART {hart} · {count} · no line left in {percent(steps.exhausted_share)} of the time"
        )
        top = _STRIP * len(strips) + 0.12
        made = page(f"{recording.title}\n{told}", _WIDTH, top + row * rows + 1.05)
        width = _WIDTH - _LEFT - _RIGHT
        panel = made.axes(_LEFT, top, width, row * rows)
        _draw_rows(panel, recording, hart, rows)
        groups = _draw_bars(panel, recording, owners, width)
        for number, strip in enumerate(strips):
            _draw_strip(made.axes(_LEFT, _STRIP * number, width, _STRIP), recording, strip)
        _explain(made, recording, hart, groups)
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
    """Draw what lies behind the bars: when the HART was exhausted or offline, missing lines."""
    unit, unit_ns = time_unit(recording.end_ns)
    steps = recording.harts[hart]
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
    if rows > steps.lines:
        panel.axhspan(
            steps.lines + 0.5, rows + 0.5, facecolor="none", edgecolor=MISSING,
            hatch=MISSING_HATCH, linewidth=0, zorder=1,
        )  # fmt: skip
    for line in range(1, rows):
        panel.axhline(line + 0.5, color="0.8", linewidth=0.4, zorder=1)
    panel.set_yticks(range(1, rows + 1), [f"line {line}" for line in range(1, rows + 1)])
    panel.tick_params(axis="y", length=0, labelsize=9 if rows < 20 else 7.5)
    panel.set_xlabel(f"time, {unit}")
    panel.xaxis.set_major_locator(MaxNLocator(10, steps=[1, 2, 5, 10]))


def _draw_bars(panel: Axes, recording: Recording, owners: Records, width: float) -> Legend:
    """Draw a bar for each ownership, with the vCPU's name where there is room."""
    names, groups = vcpu_names(recording.tables), _groups(recording)
    unit_ns = time_unit(recording.end_ns)[1]
    inches = width / recording.end_ns
    order = list(dict.fromkeys(groups.values())) or [""]
    used: set[str] = set()
    for owner in owners.tolist():
        start, end, _, _, _, line, vcpu = owner
        group = groups.get(vcpu, "")
        used.add(group)
        color, hatch = FILLS[order.index(group) % len(FILLS)]
        panel.barh(
            line, (end - start) / unit_ns, 0.78, start / unit_ns, color=color, hatch=hatch,
            edgecolor=BLACK, linewidth=0.5, zorder=2, rasterized=len(owners) > BARS_MAX,
        )  # fmt: skip
        label = names.get(vcpu, f"vCPU {vcpu}")
        room = (end - start) * inches
        text = next((t for t in (label, label.split("/")[-1]) if len(t) * _LETTER < room), "")
        if text:
            panel.text(
                (start + end) / 2 / unit_ns, line, text, ha="center", va="center", fontsize=7.5,
                zorder=3, bbox={"facecolor": color, "edgecolor": "none", "pad": 0.2},
            )  # fmt: skip
    return [group if group in used else None for group in order]


def _groups(recording: Recording) -> dict[int, str]:
    """The VM of each vCPU, where that is known."""
    vcpus = recording.tables.get("vcpus")
    if vcpus is None or "vm" not in (vcpus.dtype.names or ()):
        return {}
    return dict(zip(vcpus["vcpu"].tolist(), vcpus["vm"].tolist(), strict=True))


def _explain(made: Page, recording: Recording, hart: int, groups: Legend) -> None:
    shown = groups[: len(FILLS)]
    keys: list[Artist] = [
        Patch(
            facecolor=color, hatch=hatch, edgecolor=BLACK, linewidth=0.5,
            label=f"owned by VM {group}" if group else "owned by a vCPU",
        )
        for group, (color, hatch) in zip(shown, FILLS, strict=False)
        if group is not None
    ]  # fmt: skip
    steps = recording.harts[hart]
    if FAIL in recording.timeline.event_kind:
        label = "an allocation failed"
        keys.append(Line2D([], [], color="0.2", marker="|", linestyle="", label=label))
    if steps.exhausted:
        keys.append(Patch(facecolor=EXHAUSTED, alpha=0.35, label="exhausted: no line left"))
    if recording.offline[hart]:
        label = "HART offline"
        keys.append(Patch(facecolor=OFFLINE, edgecolor="0.55", hatch=OFFLINE_HATCH, label=label))
    if steps.beyond:
        label = "lines that do not exist"
        keys.append(Patch(facecolor="none", edgecolor=MISSING, hatch=MISSING_HATCH, label=label))
    if not keys:
        keys.append(Line2D([], [], color="none", label="no line was ever taken"))
    made.legend(keys)
