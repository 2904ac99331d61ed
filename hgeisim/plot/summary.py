"""A run on one page: figures, exhaustion, vCPU time, latencies, locks and findings.

The vCPU time of each VM is one bar, split by state.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from textwrap import shorten
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hgeisim.plot.exhaustion import draw_heat
from hgeisim.plot.latency import (
    PANELS,
    draw_curves,
    explain_curves,
    shortest_and_longest,
    spans_by_mode,
)
from hgeisim.plot.locks import draw_waits, top_classes
from hgeisim.plot.page import Page, page
from hgeisim.plot.style import BLUE, SKY, VERMILION, YELLOW, styled
from hgeisim.plot.vcpu_styles import vm_groups
from hgeisim.runs.measures import columns, hart_summaries
from hgeisim.runs.occupancy_steps import all_at_once, share_exhausted
from hgeisim.runs.recording import Recording, one_line
from hgeisim.runs.tables import Records
from hgeisim.runs.units import percent, short_time

STATES = (
    ("vsfile", "guest, VS-file", BLUE, ""),
    ("swfile", "guest, SW-file", YELLOW, "//"),
    ("failed", "entry failed", VERMILION, "xx"),
    ("host", "host, or no HART", SKY, ".."),
    ("blocked", "WFI", "#FFFFFF", ""),
)
"""State, label, colour and hatching, from left to right."""
ROWS_MAX = 6
_NAME_MAX = 12
"""Letters of a name for which there is room."""
_SHARE_MIN = 0.06
"""Least share that has room for its number."""


def draw_states(panel: Axes, vcpus: Records) -> None:
    """Draw the shares of each VM's vCPU time, those with most vCPUs first; of many VMs together,
    but never of several modes, nor of those that were granted one and those that were refused."""
    rows, most = _rows(vcpus, ROWS_MAX), ROWS_MAX
    while len({*rows}) > ROWS_MAX and most > 1:
        most -= 1
        rows = _rows(vcpus, most)
    shown = Counter(rows).most_common()
    for at, (row, _) in enumerate(shown):
        _draw_row(panel, at, vcpus[[each == row for each in rows]])
    several = len({mode for _, mode in rows}) > 1
    labels = [_label(*row, count, several=several) for row, count in shown]
    panel.set_yticks(range(len(shown)), labels, fontsize=8.5)
    panel.set_ylim(max(len(shown), 2) - 0.5, -0.5)
    panel.set_xlim(0, 1)
    panel.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0%", "25%", "50%", "75%", "100%"])
    panel.tick_params(axis="y", length=0)
    panel.spines["left"].set_visible(False)
    handles, texts = panel.get_legend_handles_labels()
    one_each = dict(zip(texts, handles, strict=True))
    panel.legend(
        one_each.values(), one_each.keys(), loc="upper left", bbox_to_anchor=(-0.02, -0.2),
        ncols=3, frameon=False, fontsize=8,
    )  # fmt: skip


def _rows(vcpus: Records, most: int) -> list[tuple[str, str]]:
    """The row of each vCPU: its VM, or `most` groups of them, and its mode or the refusal."""
    size = Counter(vcpus["vm"].tolist())
    group_of = vm_groups((name for name, _ in size.most_common()), most)
    columns = (vcpus[key].tolist() for key in ("vm", "asked", "mode"))
    return [
        (group_of[vm], mode if mode == asked else f"{asked}: -EINVAL")
        for vm, asked, mode in zip(*columns, strict=True)
    ]


def _label(name: str, mode: str, count: int, *, several: bool) -> str:
    """The name of a row, its mode if there are several, and its number of vCPUs."""
    return f"{_short(name)} ({mode}, {count})" if several else f"{_short(name)} ({count})"


def _short(name: str) -> str:
    """A name without its middle if it is long: the ends tell names apart."""
    half = _NAME_MAX // 2
    return name if len(name) <= _NAME_MAX else f"{name[:half]}…{name[1 - half :]}"


def _draw_row(panel: Axes, row: int, vcpus: Records) -> None:
    whole = max(sum(int(vcpus[f"{state}_ns"].sum()) for state, *_ in STATES), 1)
    left = 0.0
    for state, label, color, hatch in STATES:
        share = int(vcpus[f"{state}_ns"].sum()) / whole
        panel.barh(
            row, share, 0.6, left, color=color, hatch=hatch, edgecolor="0.25", linewidth=0.5,
            label=label,
        )  # fmt: skip
        if share >= _SHARE_MIN:
            box = {"facecolor": "white", "edgecolor": "none", "pad": 0.3, "alpha": 0.85}
            panel.text(
                left + share / 2, row, percent(share), ha="center", va="center", fontsize=7.5,
                bbox=box,
            )  # fmt: skip
        left += share


_WIDTH, _LEFT, _HEIGHT, _HEIGHT_STATES, _HEIGHT_BARE = 13.0, 0.25, 9.6, 6.6, 4.5
_FINDINGS_MAX = 4
_FINDING_LETTERS = 175
_CLASSES = 5


def summary_figure(recording: Recording) -> Figure:
    """Draw the page."""
    with styled():
        tables = recording.tables.keys()
        high = _HEIGHT_STATES if "asked" in columns(recording.tables, "vcpus") else _HEIGHT_BARE
        made = page(recording.title, _WIDTH, _HEIGHT if {"spans", "locks"} <= tables else high)
        _write_figures(made, recording)
        _draw_map(made, recording)
        if "asked" in columns(recording.tables, "vcpus"):
            _draw_states(made, recording)
        if {"spans", "locks"} <= tables:
            _draw_details(made, recording)
        _write_findings(made, recording)
    return made.figure


def facts(recording: Recording) -> Iterator[tuple[str, str]]:
    """Yield the figures of a run, each with its name."""
    harts = hart_summaries(recording.timeline)
    total = {name: sum(hart[name] for hart in harts) for name in ("alloc", "fail", "sgei")}
    lines = [hart["usable"] for hart in harts]
    asked = total["alloc"] + total["fail"]
    out = [steps.exhausted_share for steps in recording.steps]
    yield "time", short_time(recording.end_ns)
    yield "HARTs", f"{len(harts)}"
    each = f"{min(lines)}" if min(lines) == max(lines) else f"{min(lines)} to {max(lines)}"
    yield "HGEI lines", f"{sum(lines)} ({each} a HART)"
    yield "lines taken, mean", f"{sum(hart['busy_mean'] for hart in harts):.1f}"
    yield "exhausted", f"{percent(share_exhausted(recording.steps))} of HART time"
    if max(out):
        yield "... worst", f"{percent(max(out))} (HART {out.index(max(out))})"
    yield "allocations", f"{asked:,}"
    yield "... that failed", f"{total['fail']:,} ({percent(total['fail'] / max(asked, 1))})"
    yield from _more_facts(recording)
    yield "SGEIs", f"{total['sgei']:,}"
    name = "offline windows" if all_at_once(recording.offline) else "hotplug windows"
    yield name, f"{sum(map(len, recording.offline))}"


def _more_facts(recording: Recording) -> Iterator[tuple[str, str]]:
    if "spans" in recording.tables:
        yield "... to the SW-file", f"{len(recording.durations('fallback')):,}"
        yield "... to a failed entry", f"{len(recording.durations('refused')):,}"
        moves = recording.durations("move")
        cost = f", {short_time(moves.sum() // len(moves))} each" if len(moves) else ""
        yield "moves of a VS-file", f"{len(moves):,}{cost}"
        yield "vCPUs", f"{len(recording.vcpus):,}"


def _write_figures(made: Page, recording: Recording) -> None:
    panel = made.axes(_LEFT, 0.0, 3.7, 3.5)
    panel.axis("off")
    rows = list(facts(recording))
    for row, (name, value) in enumerate(rows):
        y = 1 - (row + 0.5) / max(len(rows), 14)
        panel.text(0.02, y, name, va="center", color="0.3")
        panel.text(0.42, y, value, va="center", fontweight="bold")


def _draw_map(made: Page, recording: Recording) -> None:
    panel = made.axes(_LEFT + 4.6, 0.1, 7.9, 3.05)
    draw_heat(panel, recording)
    harts = recording.steps
    every = next(n for n in (1, 2, 4, 8, 16, 32, 64) if len(harts) <= 16 * n)
    rows = range(0, len(harts), every)
    panel.set_yticks(rows, [f"HART {row} · {harts[row].name}" for row in rows], fontsize=8)
    panel.tick_params(axis="y", length=0)
    grey = "; grey: offline" if any(recording.offline) else ""
    _entitle(panel, f"no line left (darker: longer{grey})")


def _draw_states(made: Page, recording: Recording) -> None:
    panel = made.axes(_LEFT + 1.6, 4.05, 4.3, 1.05)
    draw_states(panel, recording.tables["vcpus"])
    _entitle(panel, "vCPU time by VM (number of vCPUs)")


def _draw_details(made: Page, recording: Recording) -> None:
    tables = recording.tables
    panel = made.axes(_LEFT + 7.85, 4.05, 4.65, 1.45)
    draw_waits(panel, top_classes(tables["locks"], _CLASSES))
    _entitle(panel, "lock waits, in all")
    modes, ends = list(spans_by_mode(recording)), shortest_and_longest(recording)
    for number, (title, curves) in enumerate(PANELS):
        panel = made.axes(_LEFT + 0.4 + 3.15 * number, 6.2, 2.75, 1.25)
        kinds = [curve.kind for curve in curves]
        mode, spans = max(modes, key=lambda each: int(np.isin(each[1]["kind"], kinds).sum()))
        draw_curves(panel, spans, curves, ends)
        _entitle(panel, f"{title} ({mode})" if len(modes) > 1 else title)
        panel.tick_params(labelleft=number == 0)
        panel.set_yticks([0, 0.5, 1], ["0%", "50%", "100%"])
        explain_curves(panel, 0.2, 7.5)


def _entitle(panel: Axes, title: str) -> None:
    panel.set_title(title, loc="left", fontweight="bold")


def _write_findings(made: Page, recording: Recording) -> None:
    """Write the findings of the checks at the foot of the page."""
    findings = recording.findings
    shown = [_finding(each) for each in findings[:_FINDINGS_MAX]]
    if len(findings) > _FINDINGS_MAX:
        shown.append(f"... and {len(findings) - _FINDINGS_MAX} more findings")
    nothing = (
        "a trace: read, not judged" if "trace" in recording.manifest["scenario"] else "no finding"
    )
    lines = [shorten(text, _FINDING_LETTERS, placeholder=" ...") for text in shown] or [nothing]
    for row, text in enumerate(reversed(lines)):
        y = (0.12 + 0.17 * row) / made.height
        made.figure.text(0.2 / _WIDTH, y, text, fontsize=8.5, va="bottom")


def _finding(each: Mapping[str, Any]) -> str:
    name = f" ({each['known_as']})" if each.get("known_as") else ""
    accepted = "" if each.get("new", True) else ", accepted"
    when = f"first at {each['time_ns'] / 1e6:.3f} ms"
    return one_line(f"finding {each['id']}{name}, {when}{accepted}: {each['text']}")
