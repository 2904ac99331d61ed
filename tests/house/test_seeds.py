"""Many seeds of each shipped scenario find nothing that known.toml does not name."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from benchmarks import seeds
from benchmarks.seeds import HELD_BACK, LOOKED_AT, Kept, Run, Verdict, found_in, scenario_names
from hgeisim.checks.finding import Cause, of_ids
from hgeisim.scenario.load import load_scenario
from tests.support.source import ROOT

QUICK = "scenarios/traces/22-locks.toml"
RUN = (QUICK, 1)


@pytest.mark.proof
@pytest.mark.parametrize("name", scenario_names())
def test_a_few_seeds_find_nothing_new(name: str) -> None:
    verdict = Verdict()
    for seed in LOOKED_AT[:5]:
        verdict.add((name, seed), found_in((name, seed)))
    assert verdict.new == {}


def test_every_scenario_with_a_load_is_run() -> None:
    files = [*ROOT.glob("scenarios/*.toml"), *ROOT.glob("scenarios/traces/*.toml")]
    named = {Path(name).stem for name in scenario_names()}
    assert named == {path.stem for path in files if load_scenario(path).vm}


def test_the_seeds_that_are_held_back_are_others() -> None:
    assert (len(LOOKED_AT), len(HELD_BACK)) == (200, 200)
    assert not {*LOOKED_AT} & {*HELD_BACK}


def test_what_was_run_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "new" / "kept.jsonl"
    found = {"a:b": Cause(frozenset(["offline"]), frozenset(["hgei_a"])), "c:d": Cause()}
    Kept(path).add(RUN, found)
    Kept(path).add((QUICK, 2), {})
    assert Kept(path).found == {RUN: found, (QUICK, 2): {}}


def test_a_line_that_was_cut_short_is_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "kept.jsonl"
    Kept(path).add(RUN, of_ids(["a:b"]))
    with path.open("a") as file:
        file.write(json.dumps([QUICK, 2, {}])[:-1])
    kept = Kept(path)
    assert kept.found == {RUN: of_ids(["a:b"])}
    kept.add((QUICK, 3), {})
    assert [*Kept(path).found] == [RUN, (QUICK, 3)]


def test_the_verdict_counts_what_is_known_and_says_how_to_see_what_is_new() -> None:
    verdict = Verdict()
    for seed in (1, 2):
        found = ["double-owner:hgei", "wait-context:imsic->vsfile_lock rq->__lock"]
        verdict.add(("big-little", seed), of_ids(found))
        verdict.add(("weak-init", seed), of_ids(["mode-refused:aia"]))
    assert list(verdict.lines()) == [
        "accepted: in how many runs",
        "      2  B-08 wait-context:imsic->vsfile_lock rq->__lock",
        "known, not accepted: in how many runs",
        "      2  V2-9 mode-refused:aia",
        "new: 1",
        "      2  double-owner:hgei",
        "         hgeisim run big-little --seed 1",
    ]


def test_a_run_that_crashes_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(simulation: object, until_ns: int) -> None:
        raise ValueError("so it is")

    monkeypatch.setattr("hgeisim.drivers.timed.simulation.Simulation.run", crash)
    assert [*found_in(RUN)][-1] == "crash:ValueError so it is"


@pytest.mark.slow
def test_what_was_made_before_is_not_made_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(seeds, "KEPT", tmp_path)
    monkeypatch.setattr(seeds, "scenario_names", lambda: [QUICK])
    status = [main(monkeypatch, "5", str(count)) for count in (1, 3)]
    told = capsys.readouterr().out.splitlines()
    assert [line for line in told if "made before" in line] == [
        "1 runs, 0 of them made before",
        "3 runs, 1 of them made before",
    ]
    assert status == [0, 0]
    assert told[-1].startswith("1 scenarios, seeds 5 to 7, ")


@pytest.mark.slow
def test_something_new_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    run: Run = (QUICK, 5)
    kept = Kept(tmp_path / f"{seeds.code_digest()}.jsonl")
    kept.add(run, of_ids(["double-owner:hgei"]))
    monkeypatch.setattr(seeds, "KEPT", tmp_path)
    monkeypatch.setattr(seeds, "scenario_names", lambda: [QUICK])
    assert main(monkeypatch, "5", "1") == 1


def main(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["seeds", *words])
    return seeds.main()
