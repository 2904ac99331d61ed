"""`run`, `explore` and `replay` as they are used: status, text and JSON."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click
import pytest

from hgeisim.cli.main import COMMANDS, group
from hgeisim.runs.folder import read_run
from hgeisim.scenario.load import load_scenario
from tests.support.commands import explored, hgeisim, token_of
from tests.support.golden import check_golden

V2, V5 = "v6.12+percpu-v2", "v6.12+percpu-v5"
DOUBLE_OWNER = "double-owner:hgei"
F1 = "use-after-free:kvm_riscv_aia_disable"


def help_pages() -> list[tuple[str, ...]]:
    pages: list[tuple[str, ...]] = []
    for name in COMMANDS:
        command = group.get_command(click.Context(group), name)
        pages.append((name,))
        if isinstance(command, click.Group):
            pages += [(name, each) for each in command.list_commands(click.Context(command))]
    return pages


@pytest.mark.parametrize("words", help_pages(), ids=" ".join)
def test_help(words: tuple[str, ...]) -> None:
    answer = hgeisim(*words, "--help")
    assert (answer.status, answer.err) == (0, "")
    assert max(map(len, answer.out.splitlines())) <= 80
    check_golden(f"help-{'-'.join(words)}", answer.out)


@pytest.mark.slow
def test_run_prints_a_table() -> None:
    answer = hgeisim("run", "big-little")
    assert (answer.status, answer.err) == (0, "")
    assert max(map(len, answer.out.splitlines())) <= 80
    check_golden("run-big-little", answer.out)


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["v6.12", "v6.18"])
def test_run_prints_what_it_found(variant: str) -> None:
    answer = hgeisim("run", "big-little", "--variant", variant)
    assert (answer.status, answer.err) == (1, "")
    assert max(map(len, answer.out.splitlines())) <= 80
    check_golden(f"run-big-little-{variant}", answer.out)


def test_what_is_known_of_a_finding_fits_a_mail() -> None:
    answer = hgeisim("run", "realtime", "--until", "1ms").out
    assert "known: vsfile_lock, mmu_lock and hfence_lock are taken while atomic" in answer
    assert max(map(len, answer.splitlines())) <= 80


def test_run_leaves_a_folder_that_reads_back(tmp_path: Path) -> None:
    out = tmp_path / "a" / "b"
    answer = hgeisim("run", "big-little", "--until", "2ms", "--out", str(out), "--json")
    document = answer.document()
    assert answer.status == 0
    run = read_run(out)
    assert run.summary == document
    assert run.manifest["fingerprint"] == document["fingerprint"]
    assert run.manifest["digest"] == load_scenario("big-little", {"until": "2ms"}).digest
    rows = [line.partition(",")[0] for line in (out / "locks.csv").read_text().splitlines()]
    assert rows[1:9] == [f"hgei{hart['hart']}.lock" for hart in document["harts"]]
    assert {"kvm->mmu_lock", "rq->__lock", "p->pi_lock"} <= set(rows[9:])


def test_a_run_says_what_it_did_not_record(tmp_path: Path) -> None:
    out = tmp_path / "run"
    words = ("run", "patch-race", "--until", "1ms", "--record", "occupancy")
    answer = hgeisim(*words, "--out", str(out)).out
    assert "\nrecorded: occupancy, events and vcpus; lock order was not checked\n" in answer
    assert not {"spans", "locks", "offline"} & read_run(out).summary.keys()
    tables = {"occupancy.csv", "events.csv", "vcpus.csv"}
    assert {path.name for path in out.iterdir()} == {"manifest.json", "summary.json", *tables}


def test_results_per_vm_are_the_same_whatever_is_recorded() -> None:
    words = ("run", "big-little", "--until", "3ms", "--json")
    every, some = (hgeisim(*words, "--record", each).document() for each in ("all", "occupancy"))
    assert some["vms"] == every["vms"]
    assert [vm["name"] for vm in some["vms"]] == ["web"]
    assert 0 < some["vms"][0]["vsfile_of_guest"] <= 1


def test_a_mode_that_is_refused_is_einval() -> None:
    words = ("run", "weak-init", "--until", "1ms", "--record", "occupancy")
    (vm,) = hgeisim(*words, "--json").document()["vms"]
    assert (vm["mode_asked"], vm["mode_granted"]) == ("auto", "emul")
    (row,) = (line for line in hgeisim(*words).out.splitlines() if line.startswith("web "))
    assert row.split()[:2] == ["web", "-EINVAL"]


def test_run_replaces_an_older_run_with_its_pictures(tmp_path: Path) -> None:
    args = ("run", "patch-race", "--until", "1ms", "--out", str(tmp_path / "run"))
    assert hgeisim(*args).status == 0
    (tmp_path / "run" / "occupancy.png").write_bytes(b"")
    assert hgeisim(*args, "--seed", "2").status == 0
    assert not (tmp_path / "run" / "occupancy.png").exists()
    assert read_run(tmp_path / "run").manifest["seed"] == 2
    assert [path.name for path in tmp_path.iterdir()] == ["run"], "nothing else is left there"


def test_the_manifest_runs_again_to_the_same_result(tmp_path: Path) -> None:
    """The effective scenario in a run folder is all that a run needs."""
    first = hgeisim("run", "big-little", "--until", "1ms", "--seed", "5", "--json").document()
    shown = hgeisim("scenario", "show", "big-little").out
    mine = tmp_path / "mine.toml"
    mine.write_text(shown)
    again = hgeisim("run", str(mine), "--until", "1ms", "--seed", "5", "--json").document()
    assert again == first


def test_run_json_keys() -> None:
    document = hgeisim("run", "big-little", "--until", "8ms", "--variant", "v6.12", "--json")
    result = document.document()
    assert document.status == 1
    assert re.fullmatch("[0-9a-f]{16}", result["fingerprint"])
    assert [hart["hart"] for hart in result["harts"]] == list(range(8))
    ids = {"illegal-instruction:vsireg", "no-such-line:hgei"}
    assert ids <= {finding["id"] for finding in result["findings"]}
    for finding in result["findings"]:
        assert finding["new"] is (finding["id"] != "deaf:vcpu")
        assert 0 < finding["time_ns"] <= result["end_ns"] == 8_000_000


def test_the_seed_and_the_end_may_be_given() -> None:
    one, two, three = (
        hgeisim("run", "patch-race", "--until", until, "--seed", seed, "--json").document()
        for until, seed in (("1ms", "1"), ("1000us", "1"), ("2ms", "1"))
    )
    assert one == two
    assert (one["end_ns"], three["end_ns"]) == (1_000_000, 2_000_000)
    assert one["fingerprint"] != three["fingerprint"]


@pytest.mark.slow
@pytest.mark.parametrize("variant", [V2, V5])
def test_explore_says_what_it_searched_and_found(variant: str) -> None:
    answer = explored(variant)
    assert answer.status == (1 if variant == V2 else 0)
    assert answer.err == ""
    check_golden(f"explore-patch-race-{variant.split('+')[1]}", answer.out)


@pytest.mark.slow
def test_explore_counts_accepted_findings_when_it_is_strict() -> None:
    answer = explored(V5, "--strict")
    assert answer.status == 1
    assert "violation" in answer.out
    assert ", accepted" not in answer.out


@pytest.mark.slow
def test_explore_json() -> None:
    answer = explored(V5, "--json")
    document = answer.document()
    assert (answer.status, document["verdict"]) == (0, "exhausted")
    assert [finding["new"] for finding in document["findings"]] == [False] * 6
    assert F1 in [finding["id"] for finding in document["findings"]]
    for finding in document["findings"]:
        assert hgeisim("replay", finding["token"]).status == 0, "accepted"


def test_a_budget_that_is_too_small_has_its_own_status() -> None:
    few = ("explore", "patch-race", "--variant", "v7.0", "--states", "100")
    answer = hgeisim(*few, "--proof", "--json")
    document = answer.document()
    assert answer.status == 4
    assert document["verdict"] == "bounded"
    assert not any(each["new"] for each in document["findings"])
    assert "100 states" in document["bound"]
    answer = hgeisim(*few)
    assert (answer.status, "bounded" in answer.out) == (0, True)


def test_a_finding_outweighs_a_budget() -> None:
    answer = hgeisim("explore", "patch-race", "--states", "20000", "--strict", "--json")
    document = answer.document()
    assert document["findings"], "20,000 states hold a finding"
    assert (answer.status, document["verdict"], document["coverage"]) == (1, "violation", "bounded")


def test_a_walk_says_that_it_is_a_sample() -> None:
    answer = hgeisim("explore", "patch-race", "--walk", "20", "--variant", V5, "--json")
    document = answer.document()
    assert (answer.status, document["verdict"], document["ends"]) == (0, "sampled", 20)
    other = hgeisim("explore", "patch-race", "--walk", "20", "--variant", V5, "--seed", "2")
    assert "sampled" in other.out


@pytest.mark.slow
def test_replay_shows_the_double_owner() -> None:
    answer = hgeisim("replay", token_of(V2, DOUBLE_OWNER))
    assert (answer.status, answer.err) == (1, "")
    assert max(map(len, answer.out.splitlines())) <= 80
    check_golden("replay-double-owner", answer.out)


@pytest.mark.slow
def test_replay_all_shows_every_step() -> None:
    token = token_of(V2, DOUBLE_OWNER)
    steps = hgeisim("replay", token, "--json").document()["steps"]
    answer = hgeisim("replay", token, "--all").out
    numbers = re.findall(r"^ *(\d+)  \S+ +\d+  ", answer, re.MULTILINE)
    assert [int(n) for n in dict.fromkeys(numbers)] == list(range(1, len(steps) + 1))
    assert max(map(len, answer.splitlines())) <= 80


@pytest.mark.slow
def test_replay_puts_a_broken_token_together() -> None:
    token = token_of(V2, DOUBLE_OWNER)
    whole = hgeisim("replay", token, "--json")
    broken = hgeisim("replay", token[:30], token[30:50], token[50:], "--json")
    assert broken == whole


@pytest.mark.slow
@pytest.mark.parametrize("variant", [pytest.param(V2, marks=pytest.mark.proof), V5])
def test_every_token_shows_its_finding(variant: str) -> None:
    for line in explored(variant).out.splitlines():
        if match := re.match(r"([a-z-]+:.*?) ?(\(.*\))?: \d+ steps", line):
            finding = match[1]
        if line.startswith("  hgeisim replay "):
            found = hgeisim(*line.split()[1:], "--json").document()["findings"]
            assert finding in [each["id"] for each in found]


def document_of(*args: str) -> Any:
    return hgeisim(*args, "--json").document()


@pytest.mark.slow
def test_replay_json() -> None:
    document = document_of("replay", token_of(V2, DOUBLE_OWNER))
    assert (document["scenario"], document["variant"]) == ("patch-race", V2)
    assert DOUBLE_OWNER in [finding["id"] for finding in document["findings"]]
    assert set(document["steps"][0]) == {"context", "hart", "function", "operation", "changes"}
