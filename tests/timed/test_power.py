"""Planted faults, and how many of them runs notice."""

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
    told = hgeisim(*COMMAND, "--json")
    assert told.status == 0
    result: dict[str, Any] = told.document()
    return result


def outcome(function: str, text: str) -> str:
    """What became of the statement that is left out in a function."""
    (found,) = (
        each["outcome"]
        for each in measured()["faults"]
        if each["function"] == function and each["text"] == text and each["operator"] == "drop"
    )
    return str(found)


@pytest.mark.slow
def test_each_word_has_its_fault() -> None:
    """A line that is taken and stays free is noticed; in a run without an SGEI, that none can come
    is not."""
    assert outcome("kvm_riscv_aia_enable", "yield from k.enable_sgei(current)") == SURVIVED
    taken = "hgctrl.free_bitmap = free_bitmap & ~bit(ret)"
    assert outcome("kvm_riscv_aia_alloc_hgei", taken) == NOTICED
    words = {each["outcome"] for each in measured()["faults"]}
    assert words == {NO_KERNEL, NO_EFFECT, NOTICED, SURVIVED}


@pytest.mark.slow
def test_what_it_counts_adds_up() -> None:
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
    told = hgeisim(*COMMAND, "--seconds", "0.001")
    assert (told.status, told.out) == (2, "")
    assert "--seconds = 0.001: is not enough: half of it has to suffice for six runs" in told.err


def test_a_patch_that_is_broken_already() -> None:
    told = hgeisim(*COMMAND, "--variant", f"v7.1+{PATCHES}:Crashes")
    assert (told.status, told.out) == (2, "")
    assert (
        "--power: shows exception:kvm_vcpu_block without any fault; mend the patch first"
        in told.err
    )


def test_seconds_are_for_power() -> None:
    told = hgeisim("run", "blocked-move", "--seconds", "5")
    assert (told.status, told.out) == (2, "")
    assert "--seconds = 5: is for --power; a run ends with --until" in told.err


@pytest.mark.parametrize(
    "option", [("--out", "there"), ("--base", "v7.1"), ("--mail",), ("--record", "occupancy")]
)
def test_what_does_not_go_with_it(option: tuple[str, ...]) -> None:
    told = hgeisim(*COMMAND, *option)
    assert (told.status, told.out) == (2, "")
    assert f"{option[0]}: does not go with --power" in told.err
