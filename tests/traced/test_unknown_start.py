"""A trace that begins in the middle or has a hole: owners are learned."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.traced import alloc, check_file, follow, free, run
from tests.support.traces import trace_text


def test_a_vcpu_has_the_line_that_its_first_event_names() -> None:
    result = follow(run(1, "v1", 2), *alloc(1, "v2", -2), *alloc(0, "v1", 1, "1:2"))
    assert result.disagreement is None
    assert [inferred.text for inferred in result.inferred[:2]] == [
        "the trace begins in the middle: owners are learned",
        "v1 had CPU 1 line 2 from before",
    ]


def test_a_line_handed_out_was_free() -> None:
    result = follow(*alloc(1, "v2", 3), run(1, "v2", 3), *alloc(1, "v3", -2), middle=True)
    assert result.disagreement is None
    assert [inferred.text for inferred in result.inferred[1:]] == ["CPU 1 line 3 was free"]


def test_what_was_learned_is_held_against_the_trace() -> None:
    taken = follow(run(1, "v1", 2), *alloc(1, "v2", 2))
    assert taken.disagreement is not None
    double = follow(run(1, "v1", 2), run(1, "v2", 2), run(1, "v2", 2))
    assert double.disagreement is not None


def test_calls_that_began_before_are_let_go() -> None:
    result = follow("0 v1-101 alloc_ret: ret=1", free(0, "v1", "1:2"), run(0, "v1", 1), middle=True)
    assert result.disagreement is None
    again = follow(*alloc(0, "v1", 1), "0 v1-101 alloc_ret: ret=1", middle=True)
    assert again.disagreement is not None


def test_a_hole_is_noted_and_followed_by_a_new_beginning() -> None:
    hole = "CPU:1 [LOST 12 EVENTS]"
    result = follow(*alloc(1, "v1", 1), hole, *alloc(0, "v1", 2, "1:3"), free(0, "v1", "1:3"))
    assert result.disagreement is None
    assert result.holes == 1
    assert [inferred.text for inferred in result.inferred] == [
        "events of CPU 1 were lost: owners are learned anew",
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
    """Some lines in between are missing, with the mark that ftrace leaves."""
    lines = trace_text(name).splitlines(keepends=True)
    path = tmp_path / "t.txt"
    for begin in range(40, len(lines) - 60, len(lines) // 7):
        rest = [f"CPU:{begin % 4} [LOST 9 EVENTS]\n", *lines[begin + 9 :]]
        path.write_text("".join([*lines[:begin], *rest]))
        assert check_file(path, name).disagreement is None, begin


def test_a_line_is_not_freed_twice_in_a_row() -> None:
    """Not even by a call whose beginning is not in the trace."""
    freed = free(0, "v1", "1:2")
    assert follow(freed, run(0, "v1", 1), middle=True).disagreement is None
    assert follow(freed, free(0, "v1", "1:3"), run(0, "v1", 1), middle=True).disagreement is None
    assert follow(freed, freed, run(0, "v1", 1), middle=True).disagreement is not None


RELEASE = (
    *("1 cpuhp-9 rel: vcpu=v1 vs_cpu=1 vs_hgei=2", "1 cpuhp-9 free: cpu=1 hgei=2"),
    "1 cpuhp-9 rel_ret:",
)


def test_an_event_that_is_recorded_at_all_is_missed_in_every_stretch() -> None:
    """There is a `rel` before the hole, so one is missing after it."""
    off = ("1 cpuhp-9 dis:", *RELEASE, "1 cpuhp-9 dis_ret:")
    on = ("1 cpuhp-9 en:", "1 cpuhp-9 en_ret:", "CPU:1 [LOST EVENTS]", run(1, "v1", 2))
    assert follow(run(1, "v1", 2), *off, *on, *off).disagreement is None
    without = tuple(step for step in off if " rel: " not in step)
    disagreement = follow(run(1, "v1", 2), *off, *on, *without).disagreement
    assert disagreement is not None
    assert disagreement.record.event == "free"
    assert follow(*on, *without).disagreement is None


def test_a_line_of_another_cpu_says_nothing_of_those_before_it() -> None:
    """CPU 1 goes offline and takes the new file of v1, line 3 of CPU 0; v2 has line 2 of CPU 1."""
    moves = (run(1, "v1", 1), *alloc(0, "v1", 3, "1:1"), free(0, "v1", "1:1"))
    of_v1 = (
        *("1 cpuhp-9 dis:", "1 cpuhp-9 rel: vcpu=v1 vs_cpu=0 vs_hgei=3"),
        *("1 cpuhp-9 free: cpu=0 hgei=3", "1 cpuhp-9 rel_ret:"),
    )
    of_v2 = "1 cpuhp-9 rel: vcpu=v2 vs_cpu=1 vs_hgei=2"
    result = follow(*moves, *of_v1, of_v2, "1 cpuhp-9 free: cpu=1 hgei=2", middle=True)
    assert result.disagreement is None


@pytest.mark.parametrize(
    ("name", "begin"),
    [
        ("01-no-contention", 120),
        ("exhausted", 30),
        ("exhausted", 142),
        ("16-double-free", 212),
        ("migrations-3132", 68),
    ],
)
def test_a_trace_that_is_cut_without_a_mark_is_known_by_what_its_vcpus_have(
    name: str, begin: int, tmp_path: Path
) -> None:
    """A vCPU that is about to get a file, lines armed unseen, a sweep for a call from before; and
    the first vCPU that is named has no file."""
    path = tmp_path / "t.txt"
    path.write_text("".join(trace_text(name).splitlines(keepends=True)[begin:]))
    result = check_file(path, name)
    assert result.disagreement is None
    assert result.inferred[0].text == "the trace begins in the middle: owners are learned"


def test_an_msi_may_name_a_file_that_its_vcpu_gets_later() -> None:
    """So it does not prove a beginning in the middle if the vCPU has no file itself."""
    inject = "2 msi-64 inject: vcpu=v1 iid=5 vs_cpu=1 vs_hgei=1"
    result = follow(inject, *alloc(1, "v1", 1), run(1, "v1", 1))
    assert (result.disagreement, result.inferred) == (None, [])
    result = follow(inject, *alloc(1, "v2", 2), run(1, "v2", 2))
    assert result.disagreement is None
    assert "in the middle" in result.inferred[0].text
