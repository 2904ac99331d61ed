"""Import and check both say where windows of a trace were joined, and where it begins."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from hgeisim.report.imported_trace import document
from hgeisim.trace.calibration import Calibration
from hgeisim.trace.event_names import Events
from hgeisim.trace.import_trace import Imported, import_trace
from hgeisim.trace.imported_run import timeline_of
from hgeisim.trace.interval import Gap
from tests.support.traced import alloc, run
from tests.support.traces import FOLDER, script, trace_command, trace_path

JOINED = trace_path("16-double-free")
DOUBLE_FREES = [84, 226, 349, 475, 537]


def later(seconds: float, *steps: str) -> str:
    """A trace of steps that begins some time after 5 s."""
    return re.sub(
        r" 5\.(\d{6}): ",
        lambda stamp: f" {5 + seconds + int(stamp[1]) / 1e6:.6f}: ",
        script(*steps),
    )


def joined(folder: Path, seconds: float, one: tuple[str, ...], other: tuple[str, ...]) -> Path:
    """Two windows in one file."""
    path = folder / "t.txt"
    path.write_text(script(*one) + later(seconds, *other))
    return path


def read(path: Path) -> Imported:
    """A trace, imported."""
    return import_trace(path, Events(), (3,))


def test_an_import_says_where_windows_were_joined() -> None:
    out = trace_command("import", JOINED, "--lines", "3").out
    assert "\nThe trace begins in the middle of a run: 7 lines were taken before.\n" in out
    assert "\nWindows seem to be joined before line 114, 247, 381, 509:\n" in out
    assert max(map(len, out.splitlines())) <= 80
    summary = json.loads(trace_command("import", JOINED, "--lines", "3", "--json").out)
    assert (summary["trace"]["joints"], summary["trace"]["holes"]) == ([114, 247, 381, 509], 0)


def test_nothing_is_doubted_but_what_the_kernel_did() -> None:
    """Changes between two windows are not contradictions."""
    assert [doubt.line for doubt in read(JOINED).occupancy.doubts] == DOUBLE_FREES


def test_a_check_says_the_same() -> None:
    out = trace_command("check", JOINED, "--variant", "v6.12", "--lines", "3").out
    assert "  weaker from line 114 on: windows seem to be joined in 4 places; after each,\n" in out
    assert "\ninferred, line 3: the trace begins in the middle: owners are learned\n" in out


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*-*.gz")), ids=lambda path: path.name)
def test_other_traces_have_no_joints(path: Path) -> None:
    """07 and 21 have a pause of more than a second each."""
    assert (read(path).joints == ()) == (path != JOINED)


@pytest.mark.parametrize(("seconds", "is_joint"), [(0.2, False), (1.9, False), (2.1, True)])
def test_seconds_without_a_record_are_a_joint(
    seconds: float, is_joint: bool, tmp_path: Path
) -> None:
    asks, gets = alloc(1, "v1", 1)
    path = joined(tmp_path, seconds, (asks, run(1, "v2", 0)), (gets,))
    trace = read(path)
    assert trace.joints == ((3,) if is_joint else ())
    assert [call.gap for call in trace.intervals] == [Gap.LOST] * 2 if is_joint else [Gap.NONE]


def test_a_cpu_that_is_off_and_has_guests_proves_a_joint(tmp_path: Path) -> None:
    off = ("1 cpuhp/1-9 dis:", "1 cpuhp/1-9 dis_ret:")
    on = ("1 cpuhp/1-9 en:", "1 cpuhp/1-9 en_ret:")
    assert read(joined(tmp_path, 0.5, off, alloc(1, "v1", 1))).joints == (3,)
    assert read(joined(tmp_path, 0.5, off, (*on, *alloc(1, "v1", 1)))).joints == ()
    assert read(joined(tmp_path, 0.5, off, alloc(2, "v1", 1))).joints == ()


def test_no_call_is_measured_across_a_joint(tmp_path: Path) -> None:
    asks, gets = alloc(1, "v1", 1)
    for seconds, count in ((1.0, 1), (3.0, 0)):
        made = Calibration()
        made.add(joined(tmp_path, seconds, (asks,), (gets,)), Events())
        assert sum(map(len, made.times_ns.values())) == count


def test_a_beginning_in_the_middle_is_said(tmp_path: Path) -> None:
    path = tmp_path / "t.txt"
    path.write_text(script(run(1, "v1", 2), *alloc(0, "v1", 1, "1:2"), run(0, "v1", 1)))
    trace = read(path)
    assert document(trace, timeline_of(trace.occupancy, trace.machine))["trace"]["held_before"] == 1
    assert "in the middle of a run: 1 line was taken before.\n" in trace_command("import", path).out
    path.write_text(script(*alloc(0, "v1", 1), run(0, "v1", 1)))
    assert "in the middle" not in trace_command("import", path).out
