"""The picture of a sweep: a curve for each value of a second axis, or a heat map of two axes."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hgeisim.plot.comparison import COLORS, MARKS
from hgeisim.plot.exhaustion import HEAT
from hgeisim.plot.page import page
from hgeisim.plot.style import styled

CURVES_MAX = 5
"""Most values of the second axis that are drawn as curves; more of them are a heat map."""
_WIDTH, _LEFT, _RIGHT, _HEIGHT = 10.0, 0.95, 0.35, 4.2
Document = dict[str, Any]


def sweep_figure(document: Document, metric: str) -> Figure:
    """Draw a metric over the first axis; with three axes or more, those after the second have their
    first values."""
    with styled():
        axes = document["axes"]
        facts = next(each for each in document["metrics"] if each["name"] == metric)
        map_it = len(axes) > 1 and len(axes[1]["values"]) > CURVES_MAX
        made = page(_title(document, facts, map_it), _WIDTH, _HEIGHT + 1.2)
        panel = made.axes(_LEFT, 0, _WIDTH - _LEFT - _RIGHT, _HEIGHT)
        (_draw_map if map_it else _draw_curves)(panel, document, facts)
        handles, _ = panel.get_legend_handles_labels()
        if len(handles) > 1:
            made.legend(handles)
    return made.figure


def _title(document: Document, facts: Document, map_it: bool) -> str:
    mean = "means" if document["quantile"] is None else f"{document['quantile']:g} % quantiles"
    bounds = mean if map_it else f"{document['level']:g} % intervals"
    what = "share of" if facts["unit"] == "share" else "over"
    lines = [
        document["title"] or document["scenario"],
        f"{facts['name']}: {facts['meaning']}; {what} {facts['denominator']}",
        f"{document['replications']} replications each, {bounds}",
    ]
    fixed = [f"{axis['key']} = {axis['values'][0]}" for axis in document["axes"][2:]]
    return "\n".join([*lines, *([", ".join(fixed)] if fixed else [])])


def _scale(facts: Document) -> tuple[float, str]:
    return (0.01, "%") if facts["unit"] == "share" else (1, facts["unit"])


def _found(document: Document, metric: str, wanted: dict[str, Any]) -> Document | None:
    """The estimate at the point that has some values."""
    for point in document["points"]:
        if all(point["values"][key] == value for key, value in wanted.items()):
            found: Document | None = point["metrics"][metric]
            return found
    return None


def _fixed(document: Document) -> dict[str, Any]:
    return {axis["key"]: axis["values"][0] for axis in document["axes"][2:]}


def _places(values: list[Any]) -> tuple[list[float], bool]:
    """Where values stand on an axis: numbers in their place, others side by side."""
    numbers = all(isinstance(value, int | float) for value in values)
    return ([float(v) for v in values] if numbers else [*map(float, range(len(values)))]), numbers


def _draw_curves(panel: Axes, document: Document, facts: Document) -> None:
    first, *others = document["axes"]
    unit, name = _scale(facts)
    places, numbers = _places(first["values"])
    for at, value in enumerate(others[0]["values"] if others else [None]):
        own = {others[0]["key"]: value} if others else {}
        rows = []
        for x, there in zip(places, first["values"], strict=True):
            wanted = {first["key"]: there, **own, **_fixed(document)}
            if (found := _found(document, facts["name"], wanted)) is not None:
                low, high = (found[key] if found[key] is not None else found["value"]
                             for key in ("low", "high"))  # fmt: skip
                mid = found["value"]
                rows.append((x, mid / unit, (mid - low) / unit, (high - mid) / unit))
        if rows:
            xs, ys, below, above = (list(column) for column in zip(*rows, strict=True))
            label = f"{others[0]['key']} = {value}" if others else facts["name"]
            panel.errorbar(
                xs,
                ys,
                [below, above],
                fmt=f"{MARKS[at]}-",
                color=COLORS[at],
                capsize=3,
                label=label,
            )
    panel.set_xlabel(first["key"])
    panel.set_ylabel(f"{facts['name']}, {name}")
    if not numbers or len(places) <= 16:
        panel.set_xticks(places, [str(value) for value in first["values"]])
    panel.set_ylim(bottom=min(0.0, panel.get_ylim()[0]))


def _draw_map(panel: Axes, document: Document, facts: Document) -> None:
    across, down = document["axes"][:2]
    unit, name = _scale(facts)
    cells = np.full((len(down["values"]), len(across["values"])), np.nan)
    for row, below in enumerate(down["values"]):
        for column, value in enumerate(across["values"]):
            wanted = {across["key"]: value, down["key"]: below, **_fixed(document)}
            if (found := _found(document, facts["name"], wanted)) is not None:
                cells[row, column] = found["value"] / unit
    shown = panel.pcolormesh(cells, cmap=HEAT, edgecolors="white", linewidth=0.5)
    for (row, column), value in np.ndenumerate(cells):
        if cells.size <= 200 and not np.isnan(value):
            dark = value > np.nanmin(cells) + 0.7 * (np.nanmax(cells) - np.nanmin(cells))
            panel.text(
                column + 0.5, row + 0.5, f"{value:.3g}", ha="center", va="center", fontsize=8,
                color="white" if dark else "black",
            )  # fmt: skip
    panel.set_xticks(np.arange(cells.shape[1]) + 0.5, [str(v) for v in across["values"]])
    panel.set_yticks(np.arange(cells.shape[0]) + 0.5, [str(v) for v in down["values"]])
    panel.set_xlabel(across["key"])
    panel.set_ylabel(down["key"])
    panel.figure.colorbar(shown, ax=panel, label=f"{facts['name']}, {name}")
