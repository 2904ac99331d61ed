"""What the vCPUs of each VM spent their time on, as one bar a VM."""

from __future__ import annotations

from collections import Counter

import numpy as np
from matplotlib.axes import Axes

from hgeisim.plot.groups import groups_of
from hgeisim.plot.style import BLUE, SKY, VERMILION, YELLOW
from hgeisim.record.table import Records
from hgeisim.record.units import percent

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
    """Draw the shares of each VM's vCPU time, those with most vCPUs first; of many VMs together."""
    size = Counter(vcpus["vm"].tolist())
    group_of = groups_of((name for name, _ in size.most_common()), ROWS_MAX)
    names = np.array([group_of[name] for name in vcpus["vm"].tolist()], dtype=object)
    shown = list(dict.fromkeys(group_of.values()))
    for row, name in enumerate(shown):
        _draw_row(panel, row, vcpus[names == name])
    counts = Counter(names.tolist())
    labels = [f"{_short(name)} ({counts[name]} vCPU{'s' * (counts[name] != 1)})" for name in shown]
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
