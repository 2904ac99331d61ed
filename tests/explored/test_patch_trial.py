"""hgeisim explore against the base: new findings, the text about them, and the exit status."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from hgeisim.drivers.explored import base, baselines, lock_trial
from hgeisim.drivers.explored import patch_trial as trial
from hgeisim.drivers.explored.baselines import entry, model_digest, read, recorded
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.strategies.context_bounding import fewest_switches
from hgeisim.drivers.explored.strategies.levels import FewestSwitches
from hgeisim.scenario.canonical import clean_twin
from hgeisim.scenario.load import load_scenario
from tests.support.commands import Told, hgeisim
from tests.support.golden import check_golden

PATCHES = Path(__file__).parent.parent / "data/patches"
SMALL = str(PATCHES / "stale-nothread.toml")


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Name patches without a folder."""
    monkeypatch.chdir(PATCHES)


def explored(scenario: str, patch: str, *more: str) -> Told:
    return hgeisim("explore", scenario, "--variant", f"v7.0+{patch}", *more)


def standings(findings: list[dict[str, Any]]) -> dict[str, str]:
    return {each["id"]: each["standing"] for each in findings}


# Data of shipped bases


def test_what_is_recorded_was_made_by_this_model() -> None:
    assert read()["model"] == model_digest(), "run `make baselines`, and read its diff"


def test_recorded_entries_are_what_a_search_finds() -> None:
    scenario = load_scenario("blocked-move", {"variant": "v6.16"})
    text = entry("blocked-move", scenario, 1_000)
    assert text in baselines.PATH.read_text()
    with pytest.raises(ValueError, match="more than 5 states"):
        entry("blocked-move", scenario, 5)


@pytest.mark.proof
def test_all_recorded_entries_are_what_a_search_finds() -> None:
    from benchmarks.baselines import STATES_MAX, scenarios  # noqa: PLC0415

    for name, scenario in scenarios():
        assert entry(name, scenario, STATES_MAX) in baselines.PATH.read_text()


def test_data_of_another_model_is_not_used(tmp_path: Path) -> None:
    scenario = load_scenario("blocked-move", {"variant": "v6.16"})
    shown = recorded(scenario)
    assert shown is not None
    assert shown.whole
    assert shown.switches["lost-wakeup:vcpu"] == (1, 1)
    other = tmp_path / "old.toml"
    other.write_text(baselines.PATH.read_text().replace(model_digest(), "0" * 16))
    assert recorded(scenario, other) is None
    assert recorded(scenario, tmp_path / "missing.toml") is None


def test_another_preemption_is_not_recorded() -> None:
    overrides = {"variant": "v6.16", "preemption": "rt"}
    assert recorded(load_scenario("blocked-move", overrides)) is None


# What comes of a patch


@pytest.mark.slow
def test_a_finding_by_another_cause_is_introduced_in_the_clean_twin() -> None:
    output = explored("move-offline", "judged.py:NoArm")
    assert (output.status, output.err) == (1, "")
    check_golden("explore-against-base", output.out)
    lines = output.out.splitlines()
    assert max(len(line) for line in lines if "hgeisim replay" not in line) <= 80
    words = re.findall(r"^  hgeisim (replay .*)", output.out, re.MULTILINE)[-1].split()
    replayed = hgeisim(*words)
    assert "lost-wakeup:vcpu" in replayed.out
    assert "cpuhp/0" not in replayed.out


@pytest.mark.slow
def test_fewer_switches_than_in_the_base_are_easier() -> None:
    output = explored("move-offline", "judged.py:Nothing", "--json")
    document = output.document()
    assert output.status == 1
    by_id = {each["id"]: each for each in document["findings"]}
    easier = by_id["lost-interrupt:vsfile"]
    assert (easier["standing"], easier["new"], easier["switches"]) == ("easier", True, 2)
    assert easier["base_switches"] == {"least": 6, "most": 6}
    assert {"foreign-vsfile:hgei", "lost-interrupt:swfile", "lost-wakeup:vcpu"} <= {
        each["id"] for each in document["gone"]
    }
    assert by_id["now-on-offline:vsfile"]["standing"] == "introduced"
    assert document["base"]["recorded"]
    assert document["clean_twin"]["findings"] == []


@pytest.mark.slow
def test_what_the_base_shows_as_easily_is_not_new() -> None:
    output = explored("move-offline", "judged.py:LooksAgain", "--json")
    document = output.document()
    assert (output.status, document["verdict"]) == (0, "exhausted")
    assert set(standings(document["findings"]).values()) == {"pre-existing"}
    assert {each["known_as"] for each in document["findings"]} == {"F-3", "B-08", "B-19", "B-22"}
    assert explored("stale-attr", "judged.py:InTwo", "--strict").status == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scenario", "patch", "word"),
    [("stale-attr", "InTwo", "pre-existing"), ("moved-sleeper", "NoArm", "introduced")],
)
def test_a_replay_leads_the_base_along_the_same_schedule(
    scenario: str, patch: str, word: str
) -> None:
    variant = f"v7.0+judged.py:{patch}"
    finding = explored(scenario, f"judged.py:{patch}", "--json").document()["findings"][0]
    output = hgeisim("replay", finding["token"], "--variant", variant, "--json")
    again = {each["id"]: each for each in output.document()["findings"]}[finding["id"]]
    assert (again["standing"], again["new"]) == (word, word == "introduced")
    assert output.status == (word == "introduced")
    assert hgeisim("replay", finding["token"], "--variant", variant, "--strict").status == 1


def test_it_says_which_functions_were_not_entered() -> None:
    output = explored("moved-sleeper", "judged.py:InTwo", "--json")
    assert output.document()["never_entered"] == ["access", "kvm_riscv_aia_imsic_rw_attr"]
    assert explored("stale-attr", "judged.py:InTwo", "--json").document()["never_entered"] == []


@pytest.mark.slow
def test_an_accepted_id_is_introduced_where_the_base_does_not_show_it() -> None:
    """F-3 is accepted, but not of a user's own file."""
    output = explored("moved-sleeper", "judged.py:NoArm", "--json")
    (finding,) = (each for each in output.document()["findings"] if "wakeup" in each["id"])
    assert output.status == 1
    assert (finding["standing"], finding["known_as"]) == ("introduced", None)


@pytest.mark.slow
def test_the_base_of_a_patch_may_be_another_patch() -> None:
    output = explored(SMALL, "stale.py:Serialized+sound.py:StepMore")
    assert output.status == 0
    assert "compared with v7.0+stale.py:Serialized, by the fewest switches" in output.out
    assert "pre-existing" in output.out
    assert re.fullmatch(r"v7.0\+stale.py:Serialized was searched as well.* \d+\.\d s\n", output.err)
    other = explored(SMALL, "stale.py:Serialized+sound.py:StepMore", "--base", "v7.0", "--json")
    circle = "circular:kvm->lock -EN-> vcpu->mutex -EN->"
    assert standings(other.document()["findings"])[circle] == "introduced"
    assert other.status == 1
    assert "+ edge vcpu->mutex < kvm->lock" in other.document()["lock_order"]["new_edges"][0]


@pytest.mark.slow
def test_shipped_kernels_are_compared_when_asked() -> None:
    output = hgeisim("explore", "blocked-move", "--variant", "v7.0", "--base", "v6.12", "--json")
    document = output.document()
    assert (output.status, document["findings"]) == (0, [])
    assert [each["id"] for each in document["gone"]] == ["deaf:vcpu", "lost-wakeup:vcpu"]
    back = hgeisim("explore", "blocked-move", "--variant", "v6.12", "--base", "v7.0", "--json")
    assert back.status == 1
    assert standings(back.document()["findings"])["lost-wakeup:vcpu"] == "introduced"
    assert "base" not in hgeisim("explore", "blocked-move", "--json").document()


def test_a_base_that_is_not_there() -> None:
    output = hgeisim("explore", "blocked-move", "--base", "v7.9")
    assert output.status == 2
    assert "--base = 'v7.9': 'v7.9' is not a base" in output.err
    missing = hgeisim("explore", "blocked-move", "--base", "v7.0+none.py:A")
    assert "there is no such file" in missing.err


# Cut short, sampled, interrupted


@pytest.mark.slow
def test_a_base_that_is_cut_short_leaves_it_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def cut_short(space: Space, _: int, *more: Any) -> FewestSwitches:
        return fewest_switches(space, 300, *more)

    monkeypatch.setattr(base, "fewest_switches", cut_short)
    monkeypatch.setattr(base, "recorded", lambda _: None)
    output = explored("moved-sleeper", "judged.py:NoArm")
    assert output.status == 1
    text = output.out.replace("\n  ", " ")
    assert "lost-wakeup:vcpu: 26 steps, 5 switches, unknown" in text
    assert "compared with v7.0, whose search was cut short: every schedule of up to 3 sw" in text


@pytest.mark.slow
def test_random_schedules_are_compared_as_a_set() -> None:
    new = explored("moved-sleeper", "judged.py:NoArm", "--walk", "50", "--preemption", "none")
    assert new.status == 1
    assert "along the same schedules and as many random ones" in new.out
    same = explored("stale-attr", "sound.py:StepMore", "--walk", "50", "--json")
    assert same.status == 0
    assert set(standings(same.document()["findings"]).values()) <= {"pre-existing"}


@pytest.mark.slow
def test_the_first_finding_that_the_base_does_not_show_is_enough() -> None:
    first = explored("moved-sleeper", "judged.py:NoArm", "--first", "--json")
    document = first.document()
    assert (first.status, document["bound"]) == (1, "the first finding")
    assert standings(document["findings"]) == {
        "lost-wakeup:vcpu": "introduced",
        "deaf:vcpu": "introduced",
    }
    none = explored("stale-attr", "judged.py:InTwo", "--first", "--json")
    assert (none.status, none.document()["coverage"]) == (0, "exhausted")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "function", "words", "standing"),
    [
        (trial, "fewest_switches", ("moved-sleeper", "judged.py:NoArm"), "introduced"),
        (lock_trial, "lock_walks", ("abba.toml", "abba.py:Abba"), "unknown"),
        (base, "fewest_switches", ("vcpu-mutex.toml", "vcpu_mutex.py:RunTakesKvmLock"), "unknown"),
    ],
)
def test_a_comparison_that_is_interrupted(
    monkeypatch: pytest.MonkeyPatch, module: Any, function: str, words: Any, standing: str
) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, function, interrupt)
    output = explored(*words)
    assert output.status == 130
    assert standing in output.out


def test_a_twin_is_recorded_too() -> None:
    twin = clean_twin(load_scenario("patch-race", {"variant": "v7.0"}))
    assert twin is not None
    shown = recorded(twin)
    assert shown is not None
    assert shown.switches == {}
