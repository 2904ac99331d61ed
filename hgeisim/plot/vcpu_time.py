"""What the vCPUs of each VM spent their time on, as one bar a VM."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

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
VMS_MAX = 8
_SHARE_MIN = 0.06
"""Least share that has room for its number."""


def draw_states(panel: Axes, vcpus: Records) -> None:
    """Draw the shares of each VM's vCPU time; of many VMs, those with most vCPUs."""
    names = vcpus["vm"].astype(str)
    found, counts = np.unique(names, return_counts=True)
    shown = sorted(zip((-counts).tolist(), found.tolist(), strict=True))[:VMS_MAX]
    for row, (_, name) in enumerate(shown):
        _draw_row(panel, row, vcpus[names == name])
    labels = [f"{name} ({-minus} vCPU{'s' * (minus != -1)})" for minus, name in shown]
    panel.set_yticks(range(len(shown)), labels)
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
            box = {"facecolor": "white", "edgecolor": "none", "pad": 0.8, "alpha": 0.85}
            panel.text(
                left + share / 2, row, percent(share), ha="center", va="center", fontsize=8,
                bbox=box,
            )  # fmt: skip
        left += share
