"""The picture of a lock order: the outermost classes on top, cycles in red, new edges thick.

Each row holds the classes that are as far from the outermost ones; only dependencies that do not
follow from others are drawn, if the caller left the others out.  One unit of the axes is an inch.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import pairwise

import networkx as nx
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Patch
from matplotlib.text import Text

from hgeisim.lockorder.baseline.baseline import Baseline
from hgeisim.lockorder.baseline.export_graph import Pair, classes_in_cycles, graph_of
from hgeisim.plot.style import styled

COLOURS = {
    "raw_spinlock": "#F0E442",
    "spinlock": "#E69F00",
    "rwlock": "#E69F00",
    "mutex": "#9ED3F2",
    "rwsem": "#9ED3F2",
    "srcu": "#B7E1CD",
}
OTHER, RED, EDGE = "#EEEEEE", "#C0392B", "#333333"
KINDS = (
    ("raw spinlock", COLOURS["raw_spinlock"]),
    ("spinlock, rwlock", COLOURS["spinlock"]),
    ("mutex, rwsem", COLOURS["mutex"]),
    ("SRCU", COLOURS["srcu"]),
    ("IPI, event", OTHER),
)
EXPLAINED = (
    "An edge leads from what was held to what was wanted. E: the holder was exclusive, S: it was a"
    " reader; R: a recursive reader came, N: anybody else.\n"
    "{hardirq, hardirq as reader, softirq, softirq as reader}: - acquired there, + acquired with it"
    " enabled, ? both, . neither."
)
"""What the letters say, as in /proc/lockdep and Documentation/locking/lockdep-design.rst."""
ROW, COLUMN, MARGIN, PAD, FOOT = 1.0, 2.5, 0.8, 0.06, 1.35
WIDTH_MIN, LABEL = 9.5, 0.3
PARTS = (0.5, 0.45, 0.55, 0.4, 0.6, 0.35, 0.65, 0.3, 0.7, 0.25, 0.75, 0.2, 0.8)
"""Where on an edge its label may stand, the best place first."""

Place = tuple[float, float]


def lock_figure(order: Baseline, added: Collection[Pair] = (), against: str = "") -> Figure:
    """The picture; edges in `added` are new against the lock order of that name."""
    rows = _rows(order)
    columns = max((len(row) for row in rows), default=1)
    with styled():
        width = max(columns * COLUMN + 2 * MARGIN, WIDTH_MIN)
        low = -max(len(rows) - 1, 0) * ROW - FOOT
        figure = Figure(figsize=(width, 1.2 - low))
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        axes.set_xlim(-width / 2, width / 2)
        axes.set_ylim(low, 1.2)
        title = f"lock order of {order.kernel}{f', beside that of {against}' if against else ''}"
        axes.text(0, 0.85, title, ha="center", weight="bold")
        boxes = _draw_classes(axes, order, _places(rows))
        _draw_edges(axes, order, boxes, added)
        _explain(figure, axes, order, against)
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
    aside = (-0.12, 0.12)
    return {
        name: (COLUMN * (place - (len(row) - 1) / 2 + aside[number % 2]), -number * ROW)
        for number, row in enumerate(rows)
        for place, name in enumerate(row)
    }


def _draw_classes(
    axes: Axes, order: Baseline, places: dict[str, Place]
) -> dict[str, FancyBboxPatch]:
    """Draw a box around each name, at which arrows end."""
    red, boxes = classes_in_cycles(order), {}
    for name, (x, y) in places.items():
        cls = order.classes[name]
        words = f"{name}\n{cls.kind} {{{cls.usage}}}"
        text = axes.text(x, y, words, ha="center", va="center", fontsize=7.5, zorder=3)
        width, height = _size(axes, text)
        corner = (x - width / 2, y - height / 2)
        style = f"round,pad={PAD},rounding_size={PAD}"
        edge, face = RED if name in red else EDGE, COLOURS.get(cls.kind, OTHER)
        box = FancyBboxPatch(corner, width, height, style, edgecolor=edge, facecolor=face, zorder=2)
        axes.add_patch(box)
        boxes[name] = box
    return boxes


def _size(axes: Axes, text: Text) -> tuple[float, float]:
    """The width and height of a text in inches."""
    extent = text.get_window_extent().transformed(axes.transData.inverted())
    return float(extent.width), float(extent.height)


def _draw_edges(
    axes: Axes, order: Baseline, boxes: dict[str, FancyBboxPatch], added: Collection[Pair]
) -> None:
    red, labels = classes_in_cycles(order), list[Place]()
    for (source, target), edge in order.edges.items():
        colour = RED if {source, target} <= red else EDGE
        begin, end = _middle(boxes[source]), _middle(boxes[target])
        rows = abs(begin[1] - end[1]) / ROW
        bend, new = 0.25 if rows < 0.5 else 0.06 * (rows - 1), (source, target) in added
        arrow = FancyArrowPatch(
            begin, end, arrowstyle="-|>", mutation_scale=9, color=colour, shrinkA=0, shrinkB=0,
            connectionstyle=f"arc3,rad={bend}", patchA=boxes[source], patchB=boxes[target],
            lw=2.6 if new else 0.9, zorder=1,
        )  # fmt: skip
        axes.add_patch(arrow)
        kinds = ",".join(sorted(edge.kinds))
        x, y = _place_of_label(begin, end, bend, [*boxes.values()], labels)
        labels.append((x, y))
        axes.text(x, y, f"new {kinds}" if new else kinds, fontsize=5.5, color=colour, ha="center",
                  va="center", zorder=4, weight="bold" if new else "normal",
                  bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6})  # fmt: skip


def _middle(box: FancyBboxPatch) -> Place:
    return box.get_x() + box.get_width() / 2, box.get_y() + box.get_height() / 2


def _place_of_label(
    begin: Place, end: Place, bend: float, boxes: list[FancyBboxPatch], labels: list[Place]
) -> Place:
    """A place on an arc, as near to its middle as it may be, beside boxes and other labels."""
    places = [_on_arc(begin, end, bend, part) for part in PARTS]
    free = (
        (x, y)
        for x, y in places
        if not any(_lies_in(box, x, y) for box in boxes)
        and all(abs(x - a) > LABEL or abs(y - b) > LABEL / 2 for a, b in labels)
    )
    return next(free, places[0])


def _on_arc(begin: Place, end: Place, bend: float, part: float) -> Place:
    """A point of an arc ("arc3"): a quadratic Bezier curve with its control point aside."""
    (ax, ay), (bx, by) = begin, end
    cx, cy = (ax + bx) / 2 + bend * (by - ay), (ay + by) / 2 - bend * (bx - ax)
    near, middle, far = (1 - part) ** 2, 2 * part * (1 - part), part**2
    return near * ax + middle * cx + far * bx, near * ay + middle * cy + far * by


def _lies_in(box: FancyBboxPatch, x: float, y: float) -> bool:
    """Whether a label there would touch a box."""
    middle_x, middle_y = _middle(box)
    right, up = abs(x - middle_x), abs(y - middle_y)
    return right < box.get_width() / 2 + LABEL / 2 and up < box.get_height() / 2 + LABEL / 2


def _explain(figure: Figure, axes: Axes, order: Baseline, against: str) -> None:
    """Write the legend at the foot: colours, and what the letters say."""
    handles = [*_handles(order, against)]
    place = (0.5, 0.52 / figure.get_size_inches()[1])
    figure.legend(
        handles=handles, loc="lower center", ncols=len(handles), frameon=False, fontsize=7.5,
        bbox_to_anchor=place,
    )  # fmt: skip
    low, _ = axes.get_ylim()
    axes.text(0, low + 0.12, EXPLAINED, ha="center", va="bottom", fontsize=6.5, color="0.3")


def _handles(order: Baseline, against: str) -> Iterator[Artist]:
    kinds = {COLOURS.get(cls.kind, OTHER) for cls in order.classes.values()}
    for label, colour in KINDS:
        if colour in kinds:
            yield Patch(facecolor=colour, edgecolor=EDGE, label=label)
    if classes_in_cycles(order):
        yield Line2D([], [], color=RED, label="in a cycle")
    if against:
        yield Line2D([], [], color=EDGE, lw=2.6, label=f"new against {against}")
