"""The picture of a lock order: the outermost classes on top, cycles in red.

Each row holds the classes that are as far from the outermost ones; only dependencies that do not
follow from others are drawn, if the caller left the others out.
"""

from __future__ import annotations

from itertools import pairwise
from math import hypot
from pathlib import Path

import matplotlib as mpl
import networkx as nx
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch

from hgeisim.lockorder.baseline.baseline import Baseline
from hgeisim.lockorder.baseline.export_graph import classes_in_cycles, graph_of
from hgeisim.plot.style import STYLE, save

COLOURS = {
    "raw_spinlock": "#F0E442",
    "spinlock": "#E69F00",
    "rwlock": "#E69F00",
    "mutex": "#9ED3F2",
    "rwsem": "#9ED3F2",
    "srcu": "#B7E1CD",
}
OTHER, RED, EDGE = "#EEEEEE", "#C0392B", "#333333"
ROW_INCHES, COLUMN_INCHES, MARGIN_INCHES = 1.0, 2.5, 0.8

Place = tuple[float, float]


def draw_locks(order: Baseline, path: Path) -> None:
    """Draw a lock order into a file, PNG or SVG by the suffix; equal orders give equal bytes."""
    save(lock_figure(order), path)


def lock_figure(order: Baseline) -> Figure:
    """The picture."""
    rows = _rows(order)
    places = _places(rows)
    columns = max((len(row) for row in rows), default=1)
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)  # type: ignore[arg-type]
        width = max(columns, 2) * COLUMN_INCHES + 2 * MARGIN_INCHES
        figure = Figure(figsize=(width, len(rows) * ROW_INCHES + 2 * MARGIN_INCHES))
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        axes.set_xlim(-columns / 2 - 0.2, columns / 2 + 0.2)
        axes.set_ylim(-len(rows), 1)
        axes.text(0, 0.72, f"lock order of {order.kernel}", ha="center", weight="bold")
        _draw_edges(axes, order, places)
        _draw_classes(axes, order, places)
    return figure


def _rows(order: Baseline) -> list[list[str]]:
    """The classes by their longest way from an outermost one; a cycle shares a row."""
    parts = nx.condensation(graph_of(order))
    depth: dict[int, int] = {}
    for part in nx.topological_sort(parts):
        depth[part] = max((depth[before] + 1 for before in parts.predecessors(part)), default=0)
    rows: list[list[str]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for part, data in parts.nodes(data=True):
        rows[depth[part]] += data["members"]
    return _untangled([sorted(row) for row in rows], order)


def _untangled(rows: list[list[str]], order: Baseline) -> list[list[str]]:
    """Put each class below the middle of those above it that lead to it."""
    for above, row in pairwise(rows):
        middle = {name: place - (len(above) - 1) / 2 for place, name in enumerate(above)}

        def wish(name: str, middle: dict[str, float] = middle) -> tuple[float, str]:
            over = [middle[a] for a, b in order.edges if b == name and a in middle]
            return (sum(over) / len(over) if over else 0.0), name

        row.sort(key=wish)
    return rows


def _places(rows: list[list[str]]) -> dict[str, Place]:
    """Row by row, every other one a little aside, so that long edges pass between boxes."""
    return {
        name: (place - (len(row) - 1) / 2 + (0.12 if number % 2 else -0.12), float(-number))
        for number, row in enumerate(rows)
        for place, name in enumerate(row)
    }


def _draw_classes(axes: Axes, order: Baseline, places: dict[str, Place]) -> None:
    red = classes_in_cycles(order)
    for name, (x, y) in places.items():
        cls = order.classes[name]
        box = {
            "boxstyle": "round,pad=0.35",
            "facecolor": COLOURS.get(cls.kind, OTHER),
            "edgecolor": RED if name in red else EDGE,
        }
        text = f"{name}\n{cls.kind} {{{cls.usage}}}"
        axes.text(x, y, text, ha="center", va="center", fontsize=7.5, bbox=box, zorder=3)


def _shrink(order: Baseline, places: dict[str, Place], pair: tuple[str, str]) -> float:
    """How many points before the middle of its box an arrow ends, so that its head is seen."""
    (ax, ay), (bx, by) = places[pair[0]], places[pair[1]]
    right, down = abs(bx - ax) * COLUMN_INCHES, abs(by - ay) * ROW_INCHES
    length = hypot(right, down) or 1.0
    letters = max(len(pair[1]), len(order.classes[pair[1]].kind) + 7)
    half_width, half_height = letters * 2.4 + 5, 14.0
    if not down:
        return half_width * 0.8
    return min(half_width * length / (right or 1e-9), half_height * length / down) + 1


def _draw_edges(axes: Axes, order: Baseline, places: dict[str, Place]) -> None:
    red = classes_in_cycles(order)
    for (source, target), edge in order.edges.items():
        colour = RED if {source, target} <= red else EDGE
        rows = abs(places[source][1] - places[target][1])
        bend = 0.25 if rows < 0.5 else 0.06 * (rows - 1)
        arrow = FancyArrowPatch(
            places[source], places[target], arrowstyle="-|>", mutation_scale=9, color=colour,
            connectionstyle=f"arc3,rad={bend}", shrinkB=_shrink(order, places, (source, target)),
            lw=0.9, zorder=1,
        )  # fmt: skip
        axes.add_patch(arrow)
        x, y = ((a + b) / 2 for a, b in zip(places[source], places[target], strict=True))
        kinds = ",".join(sorted(edge.kinds))
        axes.text(x, y, kinds, fontsize=5.5, color=colour, ha="center", va="center", zorder=2,
                  bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6})  # fmt: skip
