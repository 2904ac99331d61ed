"""The picture of a lock order: arrows end at their boxes, labels stand on their edges."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from hgeisim.library.locks import show
from hgeisim.plot.lock_graph import LABEL, lock_figure
from tests.support.commands import hgeisim

TOUCHES = 3.0
"""Pixels between the head of an arrow and its box."""


def parts(figure: Figure) -> tuple[list[FancyBboxPatch], list[FancyArrowPatch]]:
    figure.canvas.draw()
    drawn = figure.axes[0].patches
    boxes = [each for each in drawn if isinstance(each, FancyBboxPatch)]
    return boxes, [each for each in drawn if isinstance(each, FancyArrowPatch)]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["v6.12", "v7.3"])
def test_each_arrow_touches_the_box_that_it_leads_to(name: str) -> None:
    order = show(name).baseline
    boxes, arrows = parts(lock_figure(order))
    assert (len(boxes), len(arrows)) == (len(order.classes), len(order.edges))
    for arrow in arrows:
        assert arrow.patchB is not None
        path = arrow.get_transform().transform_path(arrow.get_path())
        x, y = np.asarray(path.vertices).T
        box = arrow.patchB.get_window_extent()
        right = np.maximum(np.maximum(box.x0 - x, x - box.x1), 0)
        up = np.maximum(np.maximum(box.y0 - y, y - box.y1), 0)
        assert np.hypot(right, up).min() < TOUCHES


@pytest.mark.slow
@pytest.mark.parametrize(("name", "against"), [("v7.3", None), ("v7.3", "v7.0"), ("v6.12", None)])
def test_no_label_lies_on_a_box_or_on_another(name: str, against: str | None) -> None:
    made = show(name, against=against)
    figure = lock_figure(made.baseline, made.added, made.against)
    boxes, _ = parts(figure)
    labels = [text for text in figure.axes[0].texts if text.get_fontsize() == 5.5]
    assert len(labels) == len(made.baseline.edges)
    for label in labels:
        at = label.get_window_extent()
        assert not any(at.overlaps(box.get_window_extent()) for box in boxes), label.get_text()
    for one, other in combinations([label.get_position() for label in labels], 2):
        assert max(abs(one[0] - other[0]), 2 * abs(one[1] - other[1])) > LABEL * 0.99


def test_what_is_new_is_marked() -> None:
    added = [("vcpu->mutex", "vcpu->arch.irqs_pending_lock")]
    made = show("v7.3", against="v7.0")
    assert {*added} < made.added
    figure = lock_figure(made.baseline, added, "v7.0")
    words = [text.get_text() for text in figure.axes[0].texts]
    assert [each for each in words if each.startswith("new ")] == ["new EN"]
    assert words[0] == "lock order of v7.3, beside that of v7.0"
    (legend,) = figure.legends
    labels = [text.get_text() for text in legend.get_texts()]
    assert labels == [
        *("raw spinlock", "spinlock, rwlock", "mutex, rwsem", "SRCU", "IPI, event"),
        *("in a cycle", "new against v7.0"),
    ]
    without = lock_figure(show("v7.3", "vcpu->arch.irqs_pending_lock").baseline)
    texts = [text.get_text() for text in without.legends[0].get_texts()]
    assert texts == ["raw spinlock", "spinlock, rwlock"]


def test_new_edges_are_marked_in_each_form() -> None:
    words = ("locks", "show", "v7.3", "--against", "v7.0")
    marked = [line for line in hgeisim(*words).out.splitlines() if line.startswith("+")]
    edges = hgeisim(*words, "--json").document()["edges"]
    assert len(marked) == sum(edge["new"] for edge in edges) > 3
    assert "+ < vcpu->arch.irqs_pending_lock  EN  kvm_riscv_vcpu_flush_interrupts" in marked
    dot = hgeisim(*words, "--format", "dot").out
    assert dot.count('style="bold"') == len(marked)
    assert "+" not in {line[0] for line in hgeisim("locks", "show", "v7.3").out.splitlines()}
    same = hgeisim("locks", "show", "v7.3", "--against", "v7.3", "--json").document()
    assert not any(edge["new"] for edge in same["edges"])


def test_an_edge_that_follows_from_others_is_shown_if_it_is_new() -> None:
    """vcpu->mutex comes before irqs_pending_lock by way of others, too."""
    pair = ("vcpu->mutex", "vcpu->arch.irqs_pending_lock")
    assert pair not in show("v7.3").baseline.edges
    assert pair in show("v7.3", against="v7.0").baseline.edges
