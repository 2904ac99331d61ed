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
from hgeisim.runs.tables import SPAN_NAMES
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
    for path in (tmp_path / "copy").glob("*.csv"):
        assert path.read_bytes() == (tmp_path / "run" / path.name).read_bytes()
    assert {path.name for path in (tmp_path / "run").iterdir()} >= {"lockdep.txt", "locks.csv"}


def test_tables_agree_with_the_summary(result: hgeisim.Result) -> None:
    for hart in result.harts:
        mine = result.events[result.events["hart"] == hart["hart"]]
        for name in ("alloc", "fail", "free", "sgei"):
            assert (mine["event"] == name).sum() == hart[name]
        busy = result.occupancy["busy"][result.occupancy["hart"] == hart["hart"]]
        assert busy.max(initial=0) == hart["busy_max"]
        exhausted = sum(end - start for start, end in result.exhausted(hart["hart"]))
        assert exhausted / result.summary["end_ns"] == pytest.approx(hart["exhausted"], abs=1e-6)
    for span in result.summary["spans"]:
        mine = result.durations(span["kind"], span["met"])
        assert (len(mine), mine[-1]) == (span["count"], span["max_ns"])
    for kind in SPAN_NAMES:
        counts = [span["count"] for span in result.summary["spans"] if span["kind"] == kind]
        assert len(result.durations(kind)) == sum(counts)


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


def test_mistakes_are_reported() -> None:
    with pytest.raises(hgeisim.InputError, match="did you mean"):
        hgeisim.load("big-litle")
    with pytest.raises(hgeisim.InputError, match="load: until = "):
        hgeisim.load("big-little", until="5")
    with pytest.raises(hgeisim.InputError, match='must be "all" or "occupancy"'):
        hgeisim.run("patch-race", record="nothing")  # type: ignore[arg-type]
    quick = hgeisim.run(hgeisim.load("patch-race", until="1ms"), record="occupancy")
    with pytest.raises(hgeisim.InputError, match="there are vcpus; run with record"):
        quick.holders(0)
    with pytest.raises(hgeisim.InputError, match="must be one of occupancy, exhaustion, lines"):
        quick.plot("pie")
    with pytest.raises(AttributeError, match="no attribute 'simulate'"):
        _ = hgeisim.simulate


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (
            {"varient": "v6.12"},
            'load: varient = v6.12: is not an argument; .*; did you mean "variant"?',
        ),
        ({"variant": "v6.13"}, "'v6.13' is not a base; known: v6.12, v6.16"),
        ({"until": 5, "seed": "x"}, 'load: seed = "x": .*\nload: until = 5: must be a time'),
    ],
)
def test_wrong_overrides_are_reported_before_anything_runs(
    overrides: dict[str, Any], expected: str
) -> None:
    with pytest.raises(hgeisim.InputError) as caught:
        hgeisim.load("big-little", **overrides)
    assert re.search(expected, "\n".join(sorted(str(caught.value).splitlines())))


def test_a_kind_of_span_that_does_not_exist_is_reported(result: hgeisim.Result) -> None:
    with pytest.raises(hgeisim.InputError, match="result: kind = moves: must be one of sgei-taken"):
        result.durations("moves")


def test_a_name_is_imported_when_it_is_used() -> None:
    """The cost of `import hgeisim` is part of what every `hgeisim --help` costs."""
    code = "import hgeisim, sys; print('numpy' in sys.modules); hgeisim.run; print(dir(hgeisim))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    first, second = said.stdout.splitlines()
    assert first == "False"
    assert all(repr(name) in second for name in hgeisim.__all__)


def test_values_are_set_by_key_and_a_scenario_may_be_a_dict() -> None:
    one = hgeisim.load("patch-race", set={"machine.harts.0.guest_files": 3}, until="1ms")
    assert one.topology.harts[0].guest_files == 3
    again = hgeisim.load(hgeisim.canonical(one))
    assert again.topology == one.topology
    assert hgeisim.load("big-little", set=["vm.web.vcpus=2"]).vm[0].vcpus == 2
    with pytest.raises(hgeisim.InputError, match=r"load: set vm.wob.vcpus = 2: .*did you mean"):
        hgeisim.load("big-little", set={"vm.wob.vcpus": 2})
    with pytest.raises(hgeisim.InputError, match=r"explore: variant = 'v7.0': cannot change a sc"):
        hgeisim.explore(one, variant="v7.0")


def test_an_exploration_says_what_the_command_says() -> None:
    variant = "v6.12+percpu-v2"
    found = hgeisim.explore("patch-race", variant=variant, states=3000)
    answer = command("explore", "patch-race", "--variant", variant, "--states", "3000")
    assert f"{found}\n" == answer.out
    assert repr(found).startswith(f"<patch-race on {variant}: violation, bounded, ")
    assert found._repr_html_().count("<tr>") == 1 + len(found.findings)
    assert found.findings == found.document["findings"]
    worst = next(each for each in found.findings if each["new"])
    assert worst["id"] in found.mail()
    replayed = hgeisim.replay(worst["token"])
    assert f"{replayed}\n" == command("replay", worst["token"]).out
    assert worst["id"] in {each["id"] for each in replayed.findings}
    with pytest.raises(hgeisim.InputError, match="mail: finding = nothing: does not show"):
        found.mail("nothing")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"strategi": "pct"}, "explore: strategi = pct: is not an argument; .*did you mean"),
        ({"strategy": "fast"}, "explore: strategy = fast: must be one of portfolio, "),
        ({"strategy": "exhaustive", "walk": 5}, "explore: walk = 5: does not go with strategy ex"),
        ({"states": 0}, "explore: states = 0: must be more than 0"),
        ({"base": "v1"}, "explore: base = 'v1': "),
        ({"after": "hello"}, "explore: after = hello: is not a replay token"),
    ],
)
def test_mistakes_in_a_search_name_the_argument(options: dict[str, Any], said: str) -> None:
    with pytest.raises(hgeisim.InputError, match=said):
        hgeisim.explore("patch-race", **options)


def test_lists_are_those_of_the_commands() -> None:
    listed = command("variants", "--json").document()
    assert {kind: [*each] for kind, each in hgeisim.variants().items()} == {
        kind: [row["name"] for row in rows] for kind, rows in listed.items()
    }
    assert hgeisim.scenarios() == command("scenario", "list", "--json").document()["scenarios"]
    assert hgeisim.topology("big-little").harts[0].guest_files == 7


def test_lock_orders_are_shown_and_compared() -> None:
    shown = hgeisim.locks.show("v7.0", "kvm->mmu_lock")
    assert f"{shown}\n" == command("locks", "show", "v7.0", "--around", "kvm->mmu_lock").out
    compared = hgeisim.locks.diff("v6.12", "v7.0")
    assert f"{compared}\n" == command("locks", "diff", "v6.12", "v7.0").out
    assert repr(compared) == f"<lock order of v7.0 beside v6.12: {len(compared.rows)} differences>"
    assert "hgctrl-&gt;lock" in hgeisim.locks.show("v7.0")._repr_html_()


def test_a_trace_is_imported_checked_and_compared(tmp_path: Path) -> None:
    path = trace_path("exhausted")
    traced = hgeisim.trace.import_(path)
    answer = command("trace", "import", str(path), "--out", str(tmp_path / "answer"))
    assert f"{traced}\nrun folder" in answer.out
    traced.write(tmp_path / "mine")
    for file in (tmp_path / "answer").iterdir():
        assert file.read_bytes() == (tmp_path / "mine" / file.name).read_bytes()
    beside = hgeisim.trace.compare(traced, traced)
    assert beside.document["total"]["alloc"][0] == beside.document["total"]["alloc"][1]
    with pytest.raises(hgeisim.InputError, match="check: variant = 'v1'"):
        hgeisim.trace.check(path, "v1")
    with pytest.raises(hgeisim.InputError, match=r"import_: lines = \(64,\): must be numbers"):
        hgeisim.trace.import_(path, lines=(64,))


def test_a_patch_of_a_users_own_is_executed_and_compared() -> None:
    file = Path(__file__).parent / "data/patches/running.py"
    result = hgeisim.run(hgeisim.load("big-little", variant=f"v7.0+{file}:Polls", until="300us"))
    assert result.base_runs is not None
    assert result.base_runs.variant == "v7.0"
