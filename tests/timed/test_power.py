"""Planted faults, and the number of them that runs notice."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest

from hgeisim.drivers.power.trials import NO_EFFECT, NO_KERNEL, NOTICED, SURVIVED
from tests.support.commands import hgeisim

PATCHES = Path(__file__).parent.parent / "data/patches/races.py"
COMMAND = ("run", "blocked-move", "--until", "1ms", "--power")


@cache
def measured() -> dict[str, Any]:
    output = hgeisim(*COMMAND, "--json")
    assert output.status == 0
    result: dict[str, Any] = output.document()
    return result


def outcome(function: str, text: str) -> str:
    """The outcome of the statement that is left out in a function."""
    (found,) = (
        each["outcome"]
        for each in measured()["faults"]
        if each["function"] == function and each["text"] == text and each["operator"] == "drop"
    )
    return str(found)


@pytest.mark.slow
def test_each_word_has_its_fault() -> None:
    """A taken line that stays marked free is noticed; a run without SGEIs does not notice that none
    can arrive."""
    assert outcome("kvm_riscv_aia_enable", "yield from k.enable_sgei(current)") == SURVIVED
    taken = "hgctrl.free_bitmap = free_bitmap & ~bit(ret)"
    assert outcome("kvm_riscv_aia_alloc_hgei", taken) == NOTICED
    words = {each["outcome"] for each in measured()["faults"]}
    assert words == {NO_KERNEL, NO_EFFECT, NOTICED, SURVIVED}


@pytest.mark.slow
def test_its_counts_add_up() -> None:
    result = measured()
    assert result["seeds"] == 3
    assert result["until_ns"] == 1_000_000
    assert result["tried"] == result["reached"] == len(result["faults"])
    assert 0 < result["reached"] < result["planted"]
    noticed = [each for each in result["faults"] if each["outcome"] == NOTICED]
    assert all(each["by"] for each in noticed)
    assert len(noticed) > 20


@pytest.mark.slow
def test_the_table() -> None:
    lines = hgeisim(*COMMAND, "--variant", "v6.12").out.splitlines()
    head = "power of runs of blocked-move on v6.12, preemption full: 3 seeds, 1ms each"
    assert lines[0] == head
    assert lines[1].startswith(f"reached {measured()['reached']} | no kernel ")
    assert "not noticed:" in lines
    assert max(map(len, lines)) <= 80


def test_a_budget_that_is_too_small() -> None:
    output = hgeisim(*COMMAND, "--seconds", "0.001")
    assert (output.status, output.out) == (2, "")
    assert "--seconds = 0.001: is not enough: half of it has to suffice for six runs" in output.err


def test_a_patch_that_is_broken_already() -> None:
    output = hgeisim(*COMMAND, "--variant", f"v7.0+{PATCHES}:Crashes")
    assert (output.status, output.out) == (2, "")
    assert (
        "--power: shows exception:kvm_vcpu_block without any fault; mend the patch first"
        in output.err
    )


def test_seconds_are_for_power() -> None:
    output = hgeisim("run", "blocked-move", "--seconds", "5")
    assert (output.status, output.out) == (2, "")
    assert "--seconds = 5: is for --power; a run ends with --until" in output.err


@pytest.mark.parametrize(
    "option", [("--out", "there"), ("--base", "v7.0"), ("--mail",), ("--record", "occupancy")]
)
def test_options_that_do_not_go_with_it(option: tuple[str, ...]) -> None:
    output = hgeisim(*COMMAND, *option)
    assert (output.status, output.out) == (2, "")
    assert f"{option[0]}: does not go with --power" in output.err
