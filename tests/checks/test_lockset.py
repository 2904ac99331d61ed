"""Guarded fields are accessed with their lock held: who does not is found, nobody else is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hgeisim.drivers.explored.explored_scenario import space_of
from hgeisim.drivers.explored.strategies.exhaustive import exhaustive
from hgeisim.drivers.timed.simulation import simulate
from hgeisim.kernel.annotations import GUARDED_BY, guards_of, is_reachable
from hgeisim.kernel.main import Module
from hgeisim.kernel.structs import IRQ_VS_EXT
from hgeisim.kernel.variants import BASES, OWN, variant_problem
from hgeisim.library.own_patch import execute
from hgeisim.machine import ops
from hgeisim.scenario.find import built_in_names
from hgeisim.scenario.load import load_scenario
from tests.support.commands import hgeisim
from tests.support.kernels import PROVED, fits, unbooted

FOLDER = Path(__file__).parent.parent / "data/patches"
SWAP, FREE = "vsfile in swap", "in kvm_riscv_aia_free_hgei"
BROKEN = {
    "broken.py:SwapUnlocked": {f"unlocked:{SWAP}"},
    "broken.py:SwapForReading": {f"unlocked:{SWAP}"},
    "broken.py:SwapDropsEarly": {f"unlocked:{SWAP}"},
    "broken.py:FreesUnlocked": {f"unlocked:free_bitmap {FREE}", f"unlocked:owners {FREE}"},
    "broken.py:FreesUnderAnother": {f"unlocked:free_bitmap {FREE}", f"unlocked:owners {FREE}"},
    "locksets.py:LooksPlainly": {"unlocked:vsfile in kvm_riscv_vcpu_aia_imsic_update"},
    "locksets.py:HelpsUnlocked": {
        "unlocked:free_bitmap in give_back",
        "unlocked:owners in give_back",
    },
    "locksets.py:Clears": {f"unlocked:free_bitmap {FREE}"},
    "locksets.py:MapsUnlocked": {"unlocked:page in gstage_set_pte"},
    "locksets.py:FencesUnlocked": {"unlocked:hfence in kvm_riscv_hfence_process"},
}
SOUND = ("LooksOnce", "Tests", "Tries", "Helps", "Nothing")
EXPLORED = [name for name in built_in_names() if load_scenario(name).task]
VARIANTS = (
    *BASES,
    *(f"{base}+percpu-v5" for base in BASES if variant_problem(f"{base}+percpu-v5") is None),
    *("v6.12+percpu-v2-lock-init", "v7.0+percpu-v2-lock-init"),
)
RESETS = ("v6.12+percpu-v2", "v6.12+percpu-v2-bitmap-reset", "v6.12+percpu-v2+review-clamp")
RESET = "unlocked:free_bitmap in kvm_riscv_aia_enable"


def unlocked(scenario: str, variant: str, states: int = 3_000) -> dict[str, str]:
    """The lock findings of a search, for how long it lasts."""
    if ".py" in variant:
        execute(variant)
    space = space_of(load_scenario(scenario, {"variant": variant}, variant_problem))
    found = exhaustive(space, states).counterexamples
    return {i: c.finding.text for i, c in found.items() if i.startswith("unlocked")}


def in_time(scenario: str, variant: str, until: int = 3_000_000, **more: Any) -> set[str]:
    """The lock findings of a run."""
    execute(variant)
    simulation = simulate(load_scenario(scenario, {"variant": variant, **more}, variant_problem))
    simulation.run(until)
    return {i for i in simulation.findings if i.startswith(("unlocked", "exception"))}


@pytest.mark.slow
@pytest.mark.parametrize(("patch", "wanted"), BROKEN.items(), ids=BROKEN)
def test_a_search_notices(patch: str, wanted: set[str]) -> None:
    assert set(unlocked("move-offline", f"v7.0+{FOLDER}/{patch}")) == wanted


@pytest.mark.slow
@pytest.mark.parametrize("scenario", ["hotplug-storm", "migration-storm"])
@pytest.mark.parametrize(("patch", "wanted"), BROKEN.items(), ids=BROKEN)
@pytest.mark.proof
def test_a_run_notices(scenario: str, patch: str, wanted: set[str]) -> None:
    assert in_time(scenario, f"v7.0+{FOLDER}/{patch}") == wanted


@pytest.mark.slow
@pytest.mark.parametrize("patch", SOUND)
def test_a_sound_patch_is_not_accused(patch: str) -> None:
    variant = f"v7.0+{FOLDER}/locksets.py:{patch}"
    assert unlocked("move-offline", variant) == {}
    assert in_time("hotplug-storm", variant) == set()


@pytest.mark.slow
def test_the_texts_say_who_did_it_and_with_which_locks() -> None:
    broken = f"v7.0+{FOLDER}/broken.py"
    assert unlocked("moved-sleeper", f"{broken}:SwapUnlocked") == {
        f"unlocked:{SWAP}": "vcpu/v1 writes vsfile_cpu of v1 in swap and has taken no lock; "
        "every other write is made under v1.vsfile_lock"
    }
    (text,) = unlocked("moved-sleeper", f"{broken}:SwapForReading").values()
    assert "has taken v1.vsfile_lock for reading only;" in text
    other = unlocked("move-offline", f"{broken}:FreesUnderAnother")[f"unlocked:owners {FREE}"]
    assert "writes owners of HART 0" in other
    assert "hgei1.lock" in other
    assert other.endswith("is made under hgei0.lock")


@pytest.mark.slow
def test_it_has_a_schedule_and_a_mail_and_is_compared_with_the_base() -> None:
    variant = ("--variant", f"v7.0+{FOLDER}/broken.py:SwapUnlocked")
    explored = hgeisim("explore", "moved-sleeper", *variant, "--json")
    by_id = {f["id"]: f for f in explored.document()["findings"]}
    found = by_id[f"unlocked:{SWAP}"]
    assert (explored.status, found["new"]) == (1, True)
    replayed = hgeisim("replay", found["token"], *variant, "--json").document()
    assert f"unlocked:{SWAP}" in {f["id"] for f in replayed["findings"]}
    mail = hgeisim("replay", found["token"], *variant, "--mail")
    assert (mail.status, f"unlocked:{SWAP}" in mail.out) == (1, True)


def test_who_can_come_to_a_control_block() -> None:
    k = unbooted("v7.0", (2, 2))
    hgctrl = k.hgei[0]
    assert not is_reachable(k, hgctrl)
    hgctrl.owners[1] = 1
    assert is_reachable(k, hgctrl)


def test_the_list_of_guards_is_of_fields_and_locks_that_exist() -> None:
    k = unbooted("v7.2", (1,))
    vcpu = k.add_vcpu("v1", 0, k.add_vm("vm"))
    assert {*guards_of(k.hgei[0]), *guards_of(vcpu)} == {*GUARDED_BY}
    for guard in GUARDED_BY:
        assert {*guard.fields} <= {*guard.struct.fields, *guard.struct.arrays}


class UnsetsUnlocked(Module):
    """irqs_pending as before v7.2."""

    def kvm_riscv_vcpu_unset_interrupt(k, vcpu: Any, irq: int = IRQ_VS_EXT) -> ops.Path[None]:
        """No lock."""
        yield ops.STEP
        vcpu.irqs_pending &= ~irq
        yield ops.STEP
        vcpu.irqs_pending_mask |= irq


@pytest.mark.parametrize(("base", "accused"), [("v7.0", False), ("v7.3", True)])
def test_irqs_pending_is_guarded_where_its_lock_is(
    monkeypatch: pytest.MonkeyPatch, base: str, accused: bool
) -> None:
    monkeypatch.setitem(OWN, "own.py:UnsetsUnlocked", UnsetsUnlocked)
    space = space_of(load_scenario("on-swfile", {"variant": f"{base}+own.py:UnsetsUnlocked"}))
    found = exhaustive(space, 3_000).counterexamples
    assert ("unlocked:irqs_pending in kvm_riscv_vcpu_unset_interrupt" in found) == accused


@pytest.mark.slow
@pytest.mark.parametrize("variant", RESETS)
def test_the_reset_of_the_bitmap_is_accused(variant: str) -> None:
    assert set(unlocked("patch-race", variant, 30_000)) == {RESET}


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS)
def test_no_shipped_kernel_is_accused_in_small_scenarios(variant: str) -> None:
    for name in ("blocked-move", "module-exit", "moved-sleeper", "stale-attr"):
        assert unlocked(name, variant) == {}, name


@pytest.mark.proof
@pytest.mark.parametrize("variant", PROVED)
def test_no_shipped_kernel_is_accused(variant: str) -> None:
    for name in (each for each in EXPLORED if fits(each, variant)):
        known = {RESET} if variant in RESETS else set()
        assert unlocked(name, variant, 60_000).keys() <= known, name


@pytest.mark.proof
@pytest.mark.parametrize("variant", PROVED)
def test_no_shipped_kernel_is_accused_in_time(variant: str) -> None:
    for name in (each for each in built_in_names() if fits(each, variant)):
        for seed in (1, 2):
            patched = f"{variant}+{FOLDER}/locksets.py:Nothing"
            assert in_time(name, patched, 5_000_000, seed=seed) == set(), name
