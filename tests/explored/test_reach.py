"""The unreached: functions, steps, subjects of checks and SGEIs; and vacuous verdicts."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest

from hgeisim.checks.catalogue import CATALOGUE
from hgeisim.checks.subjects import SUBJECTS, without_subject
from hgeisim.drivers.explored.explored_scenario import space_of
from hgeisim.drivers.explored.reach import ONLY_IN_TIME, Reach, line_of, may_enter, paths_of, steps
from hgeisim.drivers.explored.strategies.exhaustive import exhaustive
from hgeisim.drivers.explored.strategies.random_walk import random_walk
from hgeisim.drivers.explored.strategies.sampling import Draw
from hgeisim.drivers.timed.simulation import simulate
from hgeisim.drivers.vacuity import NO_GUEST, NO_LINE, vacuous
from hgeisim.kernel.script import Script
from hgeisim.kernel.variants import find_variant
from hgeisim.report.run import summary
from hgeisim.scenario.find import built_in_names
from hgeisim.scenario.load import load_scenario, scenario_from
from hgeisim.scenario.schema import Scenario
from hgeisim.scenario.streams import Streams
from tests.support.commands import hgeisim
from tests.support.kernels import PROVED, proved_in

PATCHES = Path(__file__).parent.parent / "data/patches"
NEVER_PROBED = f"v7.0+{PATCHES / 'never_probed.py'}:NeverProbed"
ONE_HART = {"machine": {"harts": [{"guest_files": 1}]}}
FAST = [("v7.0", "host-shutdown"), ("v6.12", "module-exit"), ("v6.12+percpu-v2", "patch-race")]
EXPLORED = [name for name in built_in_names() if load_scenario(name).task]
RUNS = [name for name in built_in_names() if "/" not in name and load_scenario(name).vm]


def scenario_of(mode: str = "auto", does: tuple[str, ...] = ("run",), **more: Any) -> Scenario:
    """One vCPU on one HART."""
    vcpu = [{"name": "v1", "hart": 0, "mode": mode}]
    task = [{"name": "vcpu/v1", "vcpu": "v1", "does": does}]
    return scenario_from({**ONE_HART, "vcpu": vcpu, "task": task, **more})


@cache
def searched(name: str, variant: str) -> Reach:
    """The reach of an exhausted search."""
    scenario = load_scenario(name, {"variant": variant})
    space = space_of(scenario)
    exhaustive(space, 100_000)
    return Reach(scenario, space)


# Functions and steps


def test_only_plain_yields_are_steps() -> None:
    def path() -> Any:
        yield "here"
        yield from path()
        yield ("and",
               "there")  # fmt: skip

    first = path.__code__.co_firstlineno
    assert steps(path.__code__) == [first + 1, first + 3]
    running = path()
    before = line_of(path.__code__, running.gi_frame.f_lasti)
    next(running)
    there = line_of(path.__code__, running.gi_frame.f_lasti)
    assert (before, there) == (None, first + 1)


def test_every_path_of_every_kernel_has_a_name_to_be_entered_by() -> None:
    paths = paths_of(find_variant("v7.0+percpu-v5"))
    assert {"hgei_interrupt", "kvm_riscv_aia_alloc_hgei"} <= {*paths}
    assert "nr_hgei" not in paths
    assert {*paths} >= ONLY_IN_TIME


def test_a_module_that_is_unloaded_meets_no_guest() -> None:
    reach = searched("module-exit", "v6.12")
    assert "kvm_riscv_aia_disable" in reach.by_function
    assert not {"hgei_interrupt", "vcpu_enter_guest", "move_to"} & {*reach.by_function}
    assert reach.first_missed() == ["kvm_enable_virtualization_cpu", "take_line_away"]


def test_a_patch_is_read_with_what_it_overrides() -> None:
    reach = searched("module-exit", "v6.12")
    codes = may_enter(reach.k, find_variant("v6.12"), [Script.run.__code__])
    assert {"vcpu_enter_guest", "imsic_vsfile_local_read", "ack_flush"} <= codes.keys()
    assert "kvm_shutdown" not in codes
    assert "halt_poll" not in codes


def test_what_a_search_never_entered() -> None:
    reach = searched("moved-sleeper", "v7.0")
    assert {"guest_traps", "kvm_riscv_vcpu_aia_imsic_release"} <= {*reach.never_entered}
    assert {"hgei_interrupt", "kvm_vcpu_block"} <= reach.entered
    assert "guest_traps" in reach.first_missed()
    assert "kvm_riscv_vcpu_aia_imsic_rmw_topei" not in reach.first_missed()  # guest_traps calls it


def test_steps_that_were_never_made() -> None:
    reach = searched("moved-sleeper", "v7.0")
    missed = reach.never_taken()
    assert {each.step for each in missed["kvm_riscv_check_vcpu_requests"]} == {
        *("PREEMPT_DISABLE", "PREEMPT_ENABLE")
    }
    assert {each.file for each in missed["kvm_riscv_check_vcpu_requests"]} == {"vcpu.py"}
    assert "hgei_interrupt" not in missed
    assert 0 < sum(map(len, missed.values())) < reach.steps


# Subjects


def test_each_subject_is_of_a_kind_in_the_catalogue() -> None:
    kinds = {kind for row in CATALOGUE for kind in row.kinds}
    assert SUBJECTS.keys() - kinds == {"lost-wakeup"} - kinds
    assert kinds - SUBJECTS.keys() == {
        *(
            "check",
            "fence-lost",
            "foreign-registers",
            "foreign-vmid",
            "left-behind",
            "line-refused",
            "mode-refused",
            "mode-unusable",
        ),
        *("register", "unlocked", "unreachable"),
    }


@pytest.mark.parametrize(
    ("name", "variant", "idle", "busy"),
    [
        ("moved-sleeper", "v7.0", ("use-after-free", "reset-kept"), ("deaf", "armed", "level")),
        ("blocked-move", "v7.0", ("deaf", "foreign-vsfile", "double-free"), ("not-owner", "leak")),
        ("module-exit", "v6.12", ("guest-line", "deaf", "leak"), ("irq-freed-enabled",)),
        ("realtime", "v7.0", ("reset-kept",), ("sleep-in-atomic", "double-free", "broken-lock")),
    ],
)
def test_checks_that_had_nothing_to_look_at(
    name: str, variant: str, idle: tuple[str, ...], busy: tuple[str, ...]
) -> None:
    found = {*without_subject(searched(name, variant), SUBJECTS)}
    assert {*idle} <= found
    assert not {*busy} & found


# MSIs


@pytest.mark.parametrize(
    ("name", "msis"),
    [("moved-sleeper", (1, 1)), ("blocked-move", (1, 0)), ("host-shutdown", (0, 0))],
)
def test_msis_that_take_an_sgei_in_some_interleaving(name: str, msis: tuple[int, int]) -> None:
    assert searched(name, "v7.0").msis() == msis


# Vacuous


@pytest.mark.parametrize(
    ("scenario", "guest", "line", "base", "why"),
    [
        (scenario_of(), True, True, None, ""),
        (scenario_of(), False, True, None, NO_GUEST),
        (scenario_of(), False, True, True, NO_GUEST),
        (scenario_of(), True, False, None, NO_LINE),
        (scenario_of(), True, False, False, ""),
        (scenario_of(), True, False, True, f"{NO_LINE}, and the base hands one out"),
        (scenario_of(mode="emul"), False, False, True, ""),
        (scenario_of(no_lines="they are lost"), True, False, None, ""),
        (scenario_of(no_lines="they are lost"), True, False, True, f"{NO_LINE}, and"),
        (scenario_of(machine={"harts": [{"guest_files": 0}]}), True, False, None, ""),
        (scenario_of(machine={"harts": [{"guest_files": 3, "geilen": 0}]}), True, False, None, ""),
    ],
)  # fmt: skip
def test_why_a_verdict_is_vacuous(
    scenario: Scenario, guest: bool, line: bool, base: bool | None, why: str
) -> None:
    reason = vacuous(scenario, guest, line, base)
    assert reason.startswith(why)
    assert bool(reason) == bool(why)


@pytest.mark.slow
def test_a_search_without_a_line_is_vacuous() -> None:
    reason = hgeisim("explore", "module-exit", "--variant", NEVER_PROBED)
    assert (reason.status, "\nexhausted: " in reason.out) == (0, True)  # nobody wants a line
    output = hgeisim("explore", "host-shutdown", "--variant", NEVER_PROBED)
    assert output.status == 1
    assert output.out.splitlines()[1].startswith("vacuous (")
    assert "no line was handed out, and the base hands one out" in " ".join(output.out.split())


@pytest.mark.slow
def test_a_vacuous_search_says_so_in_json() -> None:
    output = hgeisim("explore", "moved-sleeper", "--variant", NEVER_PROBED, "--json")
    document = output.document()
    assert (output.status, document["verdict"], document["coverage"]) == (1, "vacuous", "exhausted")
    assert document["reach"]["vacuous"].startswith(NO_LINE)
    assert "hgei_interrupt" in document["reach"]["never_entered"]
    assert document["reach"]["msis"] == {"sent": 1, "sgei": 0}
    assert "foreign-vsfile" in document["reach"]["nothing_to_look_at"]


def test_a_search_that_was_cut_short_is_not_vacuous() -> None:
    output = hgeisim("explore", "moved-sleeper", "--variant", NEVER_PROBED, "--states", "5")
    assert output.status == 0
    assert "reached so far: " in output.out


def test_random_schedules_reach_only_so_far() -> None:
    output = hgeisim("explore", "moved-sleeper", "--variant", "v7.0", "--walk", "2")
    assert "reached so far: " in output.out


@pytest.mark.parametrize("base", [(), ("--base", "v6.12")])
def test_a_machine_without_lines_hands_none_out_on_any_base(
    tmp_path: Path, base: tuple[str, ...]
) -> None:
    file = tmp_path / "bare.toml"
    file.write_text(
        '[machine]\nharts = [{ guest_files = 0 }]\n[[vcpu]]\nname = "v1"\nhart = 0\n'
        '[[task]]\nname = "t"\nvcpu = "v1"\ndoes = ["run"]\n'
    )
    output = hgeisim("explore", str(file), "--variant", "v7.0", *base, "--json")
    assert (output.status, output.document()["verdict"]) == (0, "exhausted")


def test_a_run_without_a_line_is_vacuous() -> None:
    output = hgeisim("run", "big-little", "--variant", NEVER_PROBED, "--until", "1ms")
    assert output.status == 1
    assert "\nvacuous: no line was handed out, and the base hands one out\n" in output.out
    assert "\n0 of " in output.out


@pytest.mark.slow
def test_the_mail_of_a_vacuous_verdict_begins_with_that() -> None:
    variant = ("--variant", NEVER_PROBED, "--mail")
    for words in (("explore", "moved-sleeper"), ("run", "big-little", "--until", "1ms")):
        output = hgeisim(*words, *variant)
        assert output.status == 1
        assert output.out.startswith("vacuous: no line was handed out, and the base hands one out;")
        assert len(output.out.splitlines()) <= 40


def test_a_run_that_hands_lines_out_is_not() -> None:
    output = hgeisim("run", "big-little", "--until", "1ms", "--variant", "v7.0", "--json")
    document = output.document()
    assert (output.status, document["verdict"], document["reach"]["vacuous"]) == (0, "sampled", "")
    sent, sgei = document["reach"]["msis"].values()
    assert 0 < sgei <= sent == document["msis"]["all"]["sent"]


def test_a_reason_for_no_lines_is_a_text(tmp_path: Path) -> None:
    file = tmp_path / "bad.toml"
    file.write_text('no_lines = ""\n[machine]\nharts = [{ guest_files = 1 }]\n')
    output = hgeisim("scenario", "check", str(file))
    assert output.status == 2
    assert 'no_lines = "": must give the reason, or be left out' in output.out + output.err
    file.write_text("no_lines = true\n[machine]\nharts = [{ guest_files = 1 }]\n")
    assert "no_lines = true: must be text" in "".join(hgeisim("scenario", "check", str(file))[1:])


def _is_vacuous(name: str, variant: str) -> bool:
    """By what a short sample shows already: a search only reaches more."""
    scenario = load_scenario(name, {"variant": variant})
    reach = Reach(scenario, space_of(scenario))
    random_walk(reach.space, 20, Draw(Streams(1).stream("walk")))
    return bool(vacuous(scenario, reach.a_guest_was_entered, reach.a_line_was_handed_out))


@pytest.mark.parametrize(("variant", "name"), FAST)
def test_shipped_searches_are_not_vacuous(variant: str, name: str) -> None:
    assert not _is_vacuous(name, variant)


@pytest.mark.proof
@pytest.mark.parametrize(("variant", "name"), proved_in(EXPLORED))
def test_no_shipped_search_is_vacuous(variant: str, name: str) -> None:
    assert not _is_vacuous(name, variant)


@pytest.mark.proof
@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("variant", PROVED)
def test_no_shipped_run_is_vacuous(variant: str, name: str) -> None:
    scenario = load_scenario(name, {"variant": variant})
    simulation = simulate(scenario, record="occupancy")
    simulation.run(min(scenario.run.until, 2_000_000))
    assert not summary(scenario, simulation)["reach"]["vacuous"]
