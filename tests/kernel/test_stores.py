"""Stores of guests to IMSIC pages: no shipped kernel loses one, and no fence can be left out."""

from __future__ import annotations

from pathlib import Path

import pytest

from hgeisim.drivers.explored.explored_scenario import space_of
from hgeisim.drivers.explored.strategies.exhaustive import exhaustive
from hgeisim.drivers.explored.strategies.verdict import EXHAUSTED
from hgeisim.scenario.load import load_scenario
from tests.support.commands import hgeisim

PATCHES = Path(__file__).parent.parent / "data/patches/fences.py"
STALE = "stale-translation:vcpu"
LOST = "sent-lost:vcpu"
BROKEN = {
    "NoFence": ("store-moved", {LOST, STALE}),
    "OnlyOwnFence": ("store-moved", {LOST, STALE}),
    "NoWait": ("store-moved", {LOST, STALE}),
    "OnlyDequeues": ("store-moved", {LOST, STALE}),
    "UnmapsQuietly": ("store-moved", {LOST, STALE, "unlocked:page in kvm_riscv_mmu_iounmap"}),
    "NoSanitize": ("store-returned", {LOST, STALE}),
}


def introduced(scenario: str, variant: str) -> set[str]:
    result = hgeisim("explore", scenario, "--variant", variant, "--json")
    return {each["id"] for each in result.document()["findings"] if each["new"]}


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["v6.12", "v7.1", "v7.3"])
def test_no_shipped_kernel_loses_a_store(variant: str) -> None:
    verdict = exhaustive(space_of(load_scenario("store-moved", {"variant": variant})), 100_000)
    assert verdict.coverage == EXHAUSTED
    assert {LOST, STALE}.isdisjoint(verdict.counterexamples)


@pytest.mark.slow
@pytest.mark.parametrize("base", [pytest.param("v6.12", marks=pytest.mark.proof), "v7.3"])
@pytest.mark.parametrize("patch", BROKEN)
def test_a_fence_that_is_left_out_is_noticed(base: str, patch: str) -> None:
    scenario, wanted = BROKEN[patch]
    assert introduced(scenario, f"{base}+{PATCHES}:{patch}") == wanted


def test_a_guest_reaches_only_its_own_vm(tmp_path: Path) -> None:
    file = tmp_path / "other.toml"
    file.write_text(
        "[machine]\nharts = [{ count = 2, guest_files = 1 }]\n"
        '[[vcpu]]\nname = "v1"\nhart = 0\nvm = "web"\n[[vcpu]]\nname = "v2"\nhart = 1\n'
        '[[task]]\nname = "t"\nvcpu = "v2"\ndoes = ["store v1"]\n'
    )
    output = hgeisim("explore", str(file))
    assert output.status == 2
    assert 'task[0].does[0] = "store v1"' in output.err
    assert 'must name a vCPU of the same VM: v2 is one of "v2"' in output.err.replace("\n  ", " ")


@pytest.mark.slow
def test_a_guest_may_store_to_its_own_page() -> None:
    """Its translation is fenced, too: another vCPU has the old file when it comes back."""
    output = hgeisim("explore", str(PATCHES.parents[1] / "scenarios/store-to-itself.toml"))
    assert (output.status, "exhausted" in output.out) == (0, True)
    assert "sent-lost" not in output.out
