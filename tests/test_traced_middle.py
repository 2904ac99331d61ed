"""A trace that begins in the middle or has a hole: who owns what is learned."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.traced import alloc, check_file, follow, free, run
from tests.traces import trace_text


def test_a_vcpu_has_the_line_that_its_first_event_tells() -> None:
    told = follow(run(1, "v1", 2), *alloc(1, "v2", -2), *alloc(0, "v1", 1, "1:2"))
    assert told.disagreement is None
    assert [inferred.text for inferred in told.inferred[:2]] == [
        "the trace begins in the middle: who owns what is learned",
        "v1 had CPU 1 line 2 from before",
    ]


def test_a_line_handed_out_was_free() -> None:
    told = follow(*alloc(1, "v2", 3), run(1, "v2", 3), *alloc(1, "v3", -2), middle=True)
    assert told.disagreement is None
    assert [inferred.text for inferred in told.inferred[1:]] == ["CPU 1 line 3 was free"]


def test_what_was_learned_is_held_against_the_trace() -> None:
    taken = follow(run(1, "v1", 2), *alloc(1, "v2", 2))
    assert taken.disagreement is not None
    double = follow(run(1, "v1", 2), run(1, "v2", 2), run(1, "v2", 2))
    assert double.disagreement is not None


def test_calls_that_began_before_are_let_go() -> None:
    told = follow("0 v1-101 alloc_ret: ret=1", free(0, "v1", "1:2"), run(0, "v1", 1), middle=True)
    assert told.disagreement is None
    again = follow(*alloc(0, "v1", 1), "0 v1-101 alloc_ret: ret=1", middle=True)
    assert again.disagreement is not None


def test_a_hole_is_told_and_followed_by_a_new_beginning() -> None:
    hole = "CPU:1 [LOST 12 EVENTS]"
    told = follow(*alloc(1, "v1", 1), hole, *alloc(0, "v1", 2, "1:3"), free(0, "v1", "1:3"))
    assert told.disagreement is None
    assert told.holes == 1
    assert [inferred.text for inferred in told.inferred] == [
        "events of CPU 1 were lost: who owns what is learned anew",
        "v1 had CPU 1 line 3 from before",
        "CPU 0 line 2 was free",
    ]


@pytest.mark.parametrize("name", ["migrations-3132", "hotplug", "storm-auto", "storm-hwaccel"])
def test_the_rest_of_a_trace_agrees(name: str, tmp_path: Path) -> None:
    """Wherever a real trace is cut, its rest agrees, too."""
    lines = trace_text(name).splitlines(keepends=True)
    path = tmp_path / "t.txt"
    for begin in range(30, len(lines) - 100, len(lines) // 7):
        path.write_text(f"CPU:0 [LOST 5 EVENTS]\n{''.join(lines[begin:])}")
        assert check_file(path, name).disagreement is None, begin


@pytest.mark.parametrize("name", ["migrations-3132", "storm-hwaccel"])
def test_holes_anywhere_agree(name: str, tmp_path: Path) -> None:
    """Without some lines in between, but with the mark that ftrace leaves."""
    lines = trace_text(name).splitlines(keepends=True)
    path = tmp_path / "t.txt"
    for begin in range(40, len(lines) - 60, len(lines) // 7):
        rest = [f"CPU:{begin % 4} [LOST 9 EVENTS]\n", *lines[begin + 9 :]]
        path.write_text("".join([*lines[:begin], *rest]))
        assert check_file(path, name).disagreement is None, begin
