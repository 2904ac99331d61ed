"""hgeisim compare: pairs, their intervals, the stop rule, the exit status, and what people read."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

import hgeisim
from hgeisim.cli.console import OnTerminal
from hgeisim.study.comparison import Comparison
from hgeisim.study.metrics import METRICS
from hgeisim.study.plan import Plan
from tests.support.commands import hgeisim as command
from tests.support.golden import check_golden
from tests.support.source import ROOT

SMALL = ("big-little", "--until", "1500us", "--executor", "serial", "--variant", "v7.1")
PAIR = (*SMALL, "--variant", "v7.3")


@pytest.fixture(scope="module")
def made() -> Comparison:
    scenario = hgeisim.load("big-little", until="1500us", set={"vm.web.stagger": "20us"})
    how: dict[str, Any] = {"replications": 5, "executor": "serial", "warm_up": "500us"}
    return hgeisim.compare(scenario, ["v7.1", "v7.3"], metrics=[*METRICS], **how)


def test_differences_are_paired(made: Comparison) -> None:
    """The interval is that of SciPy's test of paired numbers."""
    rows = {row["name"]: row for row in made.document["metrics"]}
    for metric in ("lines_in_use", "exhausted_time", "host_time"):
        one, other = (
            np.array([r.values[metric] for r in made.records[letter]], float) for letter in "AB"
        )
        expected = stats.ttest_rel(other, one).confidence_interval(0.95)
        found = rows[metric]["differences"]["B"]
        assert (found["low"], found["high"]) == pytest.approx(tuple(expected))
        assert found["value"] == pytest.approx(np.mean(other) - np.mean(one))
        assert found["of_first"] == pytest.approx(np.mean(other) / np.mean(one) - 1)


def test_it_can_be_recomputed_by_hand(made: Comparison) -> None:
    """A replication is a run of the command with its seed."""
    words = ("--until", "1500us", "--variant", "v7.3", "-s", "vm.web.stagger=20us", "--seed", "3")
    harts = command("run", "big-little", *words, "--json").document()["harts"]
    assert made.records["B"][2].findings is not None
    assert made.document["seeds"] == [1, 5]
    assert made.document["warm_up"] == {"asked": "500us", "ns": 500_000, "settled": True}
    assert sum(h["fail"] for h in harts) >= (made.records["B"][2].values["fails"] or 0)


def test_a_kernel_beside_itself_differs_in_nothing() -> None:
    found = command("compare", *SMALL, "--variant", "v7.1", "-n", "2", "--json").document()
    for row in found["metrics"]:
        difference = row["differences"]["B"]
        bounds = (0, 0) if difference["method"] == "t" else (-difference["high"],) * 2
        assert (difference["low"], difference["value"]) == (bounds[0], 0)
    assert " same" in command("compare", *SMALL, "--variant", "v7.1", "-n", "2").out


def test_what_people_read() -> None:
    said = command(
        "compare", *PAIR, "-n", "3", "--warm-up", "none", "--fail-if", "A.lines_in_use > 1"
    )
    assert (said.status, said.err) == (1, "")
    assert max(map(len, said.out.splitlines())) <= 80
    assert said.out.isascii()
    check_golden("compare", said.out)


def test_a_picture_and_its_document(tmp_path: Path, made: Comparison) -> None:
    made.plot().save(tmp_path / "a.svg")
    made.plot().save(tmp_path / "b.svg")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    harts = made.document["harts"]["lines_in_use"]["B"]
    assert [row["hart"] for row in harts] == list(range(8))
    total = sum(row["value"] for row in harts)
    rows = {row["name"]: row for row in made.document["metrics"]}
    assert total == pytest.approx(rows["lines_in_use"]["differences"]["B"]["value"])
    assert made._repr_html_().count("<tr>") == 1 + len(METRICS)
    assert repr(made) == "<big-little: A v7.1, B v7.3, 5 replications>"


def test_seeds_that_disagree_most_come_first(made: Comparison) -> None:
    values = [row["value"] for row in made.document["seeds_apart"]]
    far = [abs(value - np.mean(values)) for value in values]
    assert far == sorted(far, reverse=True)


def test_quantiles() -> None:
    words = ("-n", "4", "--quantile", "90", "--warm-up", "none", "-m", "lines_in_use", "--json")
    found = command("compare", *PAIR, *words)
    assert found.document() == command("compare", *PAIR, *words).document()
    (row,) = found.document()["metrics"]
    assert row["variants"]["A"]["method"] == "bootstrap"
    turned = command("compare", PAIR[0], *PAIR[1:-4], *PAIR[-2:], *PAIR[-4:-2], *words)
    (back,) = turned.document()["metrics"]
    assert back["variants"]["A"] == row["variants"]["B"]
    there, here = row["differences"]["B"], back["differences"]["B"]
    assert there["value"] == row["variants"]["B"]["value"] - row["variants"]["A"]["value"]
    assert [there[key] for key in ("value", "low")] == [-here[key] for key in ("value", "high")]


def test_a_rare_event_has_the_bound_of_its_trials() -> None:
    words = ("-s", "vm.web.vcpus=2", "-s", "vm.batch.vcpus=1", "-n", "3", "-m", "no_line")
    found = command("compare", *PAIR, *words, "--warm-up", "none", "--json").document()
    (row,) = found["metrics"]
    assert row["variants"]["A"]["method"] == "clopper-pearson"
    assert row["variants"]["A"]["value"] == 0
    assert row["variants"]["A"]["high"] > 0
    assert row["differences"]["B"]["method"] == "bonferroni"
    assert row["differences"]["B"]["low"] < 0 < row["differences"]["B"]["high"]


def test_three_kernels_hold_together() -> None:
    words = ("-n", "3", "--warm-up", "none", "-m", "lines_in_use", "--json")
    two = command("compare", *PAIR, *words).document()["metrics"][0]["differences"]["B"]
    more = ("--variant", "v7.2", *words)
    three = command("compare", *PAIR, *more).document()["metrics"][0]["differences"]
    assert set(three) == {"B", "C"}
    assert three["B"]["value"] == two["value"]
    assert three["B"]["low"] < two["low"]


@pytest.mark.slow
def test_it_stops_when_it_is_precise_enough() -> None:
    words = ("-m", "lines_in_use", "--warm-up", "none", "--json")
    rough = command("compare", *PAIR, "--precision", "50%", *words).document()
    assert (rough["stopped"], rough["replications"]) == ("precision", 10)
    fine = command("compare", *PAIR, "--precision", "0.01%", "--at-most", "12", *words).document()
    assert (fine["stopped"], fine["replications"]) == ("at most", 12)


def test_rounds_end_at_the_most() -> None:
    assert list(Plan(precision=0.1, at_most=40).rounds()) == [
        range(10), range(10, 15), range(15, 22), range(22, 33), range(33, 40),
    ]  # fmt: skip
    assert list(Plan(precision=0.1, at_most=4).rounds()) == [range(4)]
    assert list(Plan(replications=7).rounds()) == [range(7)]


def test_the_exit_status_is_that_of_the_condition() -> None:
    words = (*PAIR, "-n", "2", "--warm-up", "none", "--json", "--fail-if")
    assert command("compare", *words, "B.host_time > 100%").status == 0
    failed = command("compare", *words, "B.host_time < 100%")
    assert failed.status == 1
    assert failed.document()["fail_if"] == {"condition": "B.host_time < 100%", "holds": True}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--variant", "v7.1"), "--variant = v7.1: must be given 2 to 8 times"),
        (("--variant", "v7.1", "--variant", "v9"), "'v9' is not a base"),
        (("-m", "sw_file"), 'did you mean "sw_file_time"'),
        (("-n", "1"), "--replications = 1: must be 2..100000"),
        (("--precision", "0%"), "--precision = 0: must be more than 0%"),
        (("--level", "99999"), "--level = 99999: must be more than 50"),
        (("--quantile", "100"), "--quantile = 100: must be more than 0"),
        (("--warm-up", "20ms"), "--warm-up = 20ms: must be shorter than the run"),
        (("--warm-up", "mser"), "--warm-up = mser: must be mser-5, none or a time"),
        (("--executor", "threads"), "--executor = threads: must be processes, serial or"),
        (("--fail-if", ""), "--fail-if: must be a condition such as"),
        (("--fail-if", "A.x > 1"), "x is not a metric"),
        (("--picture", "a.gif"), "a.gif: must end in .png or .svg"),
        (("-s", "vm.web.vcpu=1"), 'did you mean "vcpus"'),
        (("--precision", "few"), "'few' is not a valid float"),
    ],
)
def test_mistakes(words: tuple[str, ...], said: str) -> None:
    given = () if "--variant" in words else ("--variant", "v7.1", "--variant", "v7.3")
    found = command("compare", "big-little", *given, *words)
    assert (found.status, found.out) == (2, "")
    assert said in found.err


def test_metrics_are_listed() -> None:
    said = command("compare", "--metrics")
    assert (said.status, said.err) == (0, "")
    check_golden("metrics", said.out)
    listed = command("compare", "--metrics", "--json").document()["metrics"]
    assert [each["name"] for each in listed] == list(METRICS)
    assert command("compare").status == 2


def test_a_patch_of_ones_own_runs_in_other_processes(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("from hgeisim.patch import *\nclass Mine(Imsic):\n    pass\n")
    words = ("--until", "300us", "-n", "2", "--warm-up", "none", "--json")
    own = ("--variant", "v7.3", "--variant", f"v7.3+{path}:Mine")
    found = command("compare", "big-little", *own, *words).document()
    assert all(row["differences"]["B"]["value"] == 0 for row in found["metrics"])


@pytest.mark.slow
def test_ctrl_c_shows_what_is_done() -> None:
    words = ("compare", *PAIR, "-n", "5000", "--warm-up", "none", "--json")
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-m", "hgeisim", *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True,
    )  # fmt: skip
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(6)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, "")
    assert '"stopped": "interrupted"' in out


class Terminal(io.StringIO):
    """A stderr that is a terminal."""

    def isatty(self) -> bool:
        return True


def test_progress_counts_replications_and_says_what_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    scenario = hgeisim.load("big-little", until="100us")
    how: dict[str, Any] = {"replications": 2, "executor": "serial", "warm_up": "none"}
    hgeisim.compare(scenario, ["v7.1", "v7.3"], progress=OnTerminal(), **how)
    assert "4/4" in terminal.getvalue()
    assert "left:" in terminal.getvalue()
