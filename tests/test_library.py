"""The library says what the command says, and its tables answer who held the lines."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hgeisim
from hgeisim.runs.measures import holders
from hgeisim.runs.occupancy_steps import steps_of_harts
from tests.support.commands import hgeisim as command
from tests.support.simulations import HEALTHY, simulations
from tests.support.traces import trace_path

MS = 1_000_000


@pytest.fixture(scope="module")
def result() -> hgeisim.Result:
    """Return a run of a few ms."""
    return hgeisim.run(hgeisim.load("big-little", until="5ms"))


def test_a_run_is_that_of_the_command(result: hgeisim.Result) -> None:
    assert result.summary == command("run", "big-little", "--until", "5ms", "--json").document()
    assert result.harts == result.summary["harts"]
    assert result.findings == result.summary["findings"]


def test_a_run_is_written_and_read(result: hgeisim.Result, tmp_path: Path) -> None:
    result.write(tmp_path / "run")
    again = hgeisim.read(tmp_path / "run")
    assert again.summary == result.summary
    for name in ("occupancy", "events", "owners", "spans", "vcpus", "locks"):
        assert getattr(again, name).tolist() == getattr(result, name).tolist()
        assert len(getattr(again, name))
    again.write(tmp_path / "copy")
    one, other = (sorted((tmp_path / name).iterdir()) for name in ("run", "copy"))
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in other]


def test_tables_agree_with_the_summary(result: hgeisim.Result) -> None:
    for hart in result.harts:
        mine = result.events[result.events["hart"] == hart["hart"]]
        for name in ("alloc", "fail", "free", "sgei"):
            assert (mine["event"] == name).sum() == hart[name]
        busy = result.occupancy["busy"][result.occupancy["hart"] == hart["hart"]]
        assert busy.max(initial=0) == hart["busy_max"]
        exhausted = sum(end - start for start, end in result.exhausted(hart["hart"]))
        assert exhausted / result.summary["end_ns"] == pytest.approx(hart["exhausted"], abs=1e-6)
    moves = result.durations("move")
    assert len(moves) == result.summary["spans"]["move"]["count"]
    assert moves[-1] == result.summary["spans"]["move"]["max_ns"]


@pytest.mark.slow
@settings(max_examples=40)
@given(simulations(HEALTHY), st.integers(1, 3 * MS))
def test_while_a_hart_is_exhausted_each_line_has_a_holder(sim: object, until_ns: int) -> None:
    sim.run(until_ns)  # type: ignore[attr-defined]
    timeline, tables = sim.timeline, sim.tables  # type: ignore[attr-defined]
    for hart, steps in enumerate(steps_of_harts(timeline)):
        held = holders(tables, hart, steps.exhausted)
        out_ns = sum(end - start for start, end in steps.exhausted)
        assert held["held_ns"].sum() == steps.lines * out_ns
        assert (held["held_ns"] > 0).all()


def test_holders_by_hand() -> None:
    rows = [
        (0, 50, 1, 1, 0, 1, 7),
        (60, 100, 1, 0, 0, 1, 8),
        (0, 100, 1, 0, 0, 2, 8),
        (0, 100, 1, 0, 1, 1, 9),
    ]
    from hgeisim.runs.tables import OWNERS  # noqa: PLC0415

    found = holders({"owners": np.array(rows, OWNERS)}, 0, [(10, 40), (90, 100)])
    assert found.tolist() == [(8, "vCPU 8", 2, 50), (7, "vCPU 7", 1, 30)]
    assert len(holders({"owners": np.array(rows, OWNERS)}, 0, [])) == 0


@pytest.mark.parametrize("kind", ["occupancy", "lines"])
def test_a_picture_is_drawn(result: hgeisim.Result, tmp_path: Path, kind: str) -> None:
    drawing = result.plot(kind, hart=4)
    drawing.save(tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes() == drawing._repr_png_()
    drawing.save(tmp_path / "a.svg")
    assert (tmp_path / "a.svg").read_bytes().startswith(b"<?xml")
    with pytest.raises(hgeisim.InputError, match="must end in"):
        drawing.save(tmp_path / "a.pdf")
    with pytest.raises(hgeisim.InputError, match="cannot be written: No such file"):
        drawing.save(tmp_path / "no" / "a.png")


def test_a_trace_is_read_like_a_run(tmp_path: Path) -> None:
    out = tmp_path / "traced"
    assert command("trace", "import", str(trace_path("exhausted")), "--out", str(out)).status == 0
    traced = hgeisim.read(out)
    fullest = max(traced.harts, key=lambda hart: hart["exhausted"])["hart"]
    held = traced.holders(fullest)
    assert len(held)
    assert all(name.startswith("vm") for name in held["name"])
    with pytest.raises(hgeisim.InputError, match="spans: was not recorded; there are owners, vcp"):
        _ = traced.spans


def test_mistakes_are_told() -> None:
    with pytest.raises(hgeisim.InputError, match="did you mean"):
        hgeisim.load("big-litle")
    with pytest.raises(hgeisim.InputError, match="command line: --until"):
        hgeisim.load("big-little", until="5")
    with pytest.raises(hgeisim.InputError, match='must be "all" or "occupancy"'):
        hgeisim.run("patch-race", record="nothing")
    quick = hgeisim.run(hgeisim.load("patch-race", until="1ms"), record="occupancy")
    with pytest.raises(hgeisim.InputError, match="there are no tables; run with record"):
        quick.holders(0)
    with pytest.raises(hgeisim.InputError, match="must be one of occupancy, exhaustion, lines"):
        quick.plot("pie")
    with pytest.raises(AttributeError, match="no attribute 'simulate'"):
        _ = hgeisim.simulate


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (
            {"varient": "v6.12"},
            'load: varient = v6.12: is no override; .*; did you mean "variant"?',
        ),
        ({"variant": "v6.13"}, "'v6.13' is not a base; known: v6.12, v6.16"),
        ({"until": 5, "seed": "x"}, '--seed = "x": .*\n.*--until = 5: must be a time'),
    ],
)
def test_wrong_overrides_are_told_before_anything_runs(
    overrides: dict[str, Any], said: str
) -> None:
    with pytest.raises(hgeisim.InputError) as caught:
        hgeisim.load("big-little", **overrides)
    assert re.search(said, "\n".join(sorted(str(caught.value).splitlines())))


def test_a_kind_of_span_that_does_not_exist_is_told(result: hgeisim.Result) -> None:
    with pytest.raises(hgeisim.InputError, match="result: kind = moves: must be one of sgei-taken"):
        result.durations("moves")


def test_a_name_is_imported_when_it_is_used() -> None:
    """Every `hgeisim --help` pays for what `import hgeisim` loads."""
    code = "import hgeisim, sys; print('numpy' in sys.modules); hgeisim.run; print(dir(hgeisim))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    first, second = said.stdout.splitlines()
    assert first == "False"
    assert all(repr(name) in second for name in hgeisim.__all__)
