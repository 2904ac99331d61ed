"""Nothing sound is accused: ten sound patches get no new finding in the shipped scenarios.

In a search they are compared with their base: nothing is introduced, easier or unknown, neither in
the scenario nor in its clean twin.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.baselines import LARGE
from hgeisim.drivers.explored import base
from hgeisim.scenario.find import built_in_names
from hgeisim.scenario.load import load_scenario
from tests.support.commands import hgeisim
from tests.support.kernels import fits

FOLDER = Path(__file__).parent.parent / "data/patches"
PATCHES = (
    *("sound.py:StepMore", "sound.py:LockOnceMore", "sound.py:OwnerFirst"),
    *("sound.py:OwnerFirstFree", "sound.py:HighestFirst", "sound.py:PreemptOff"),
    *("sound.py:LooksTwice", "sound.py:KicksTwice", "sound.py:Posted", "vcpu_mutex.py:Landed"),
)
NAMES = [name for name in built_in_names() if fits(name, "v7.0")]
EXPLORED = [name for name in NAMES if load_scenario(name).task]
TIMED = [name for name in NAMES if not load_scenario(name).task]
QUICK = ("blocked-move", "moved-sleeper", "stale-attr")
RIGHTLY = {
    ("sound.py:Posted", name): ["mode-refused:aia"] for name in ("late-zero", "multi-vendor")
}
"""percpu-v5 does refuse the mode there, and v7.0 does not: V5-1, a matter of policy."""
RACES = {
    ("sound.py:Posted", name): [
        "data-race:nr_hgei in kvm_riscv_aia_enable and kvm_riscv_aia_free_hgei"
    ]
    for name in ("crowd", "patch-race")
}
"""percpu-v5 has one, and v7.0 has not: V2-4, which is known of percpu-v5 by its name."""
SHORT = ("hotplug-storm", "migration-storm", "vm-churn")


def shared_out(names: list[str]) -> list[tuple[str, str]]:
    """Each patch with a third of the scenarios, so that each scenario has three patches or more."""
    return [
        (patch, name)
        for row, patch in enumerate(PATCHES)
        for column, name in enumerate(names)
        if (row + column) % 3 == 0
    ]


def findings(command: tuple[str, ...], variant: str) -> set[str]:
    """The new findings in a scenario on a variant, or in its clean twin."""
    result = hgeisim(*command, "--variant", variant, "--json")
    assert result.status in (0, 1, 4)
    document = result.document()
    twin = document.get("clean_twin") or {"findings": []}
    return {f["id"] for f in document["findings"] + twin["findings"] if f["new"]}


def new_findings(command: tuple[str, ...], patch: str) -> list[str]:
    """The findings that speak against a patch on v7.0 in a scenario."""
    return sorted(findings(command, f"v7.0+{FOLDER}/{patch}"))


@pytest.mark.slow
@pytest.mark.parametrize("patch", PATCHES)
@pytest.mark.proof
def test_it_is_not_accused_in_small_scenarios(patch: str) -> None:
    for name in QUICK:
        assert new_findings(("explore", name), patch) == [], name
    for name in SHORT:
        assert new_findings(("run", name, "--until", "3ms"), patch) == [], name


@pytest.mark.slow
@pytest.mark.parametrize("patch", ["sound.py:LooksTwice", "sound.py:StepMore"])
def test_it_is_not_accused_by_a_sample(monkeypatch: pytest.MonkeyPatch, patch: str) -> None:
    """The base cannot follow a schedule of the patch, and misses that finding in random ones."""
    monkeypatch.setattr(base, "recorded", lambda _: None)
    assert new_findings(("explore", "move-offline", "--walk", "200"), patch) == []


@pytest.mark.proof
@pytest.mark.parametrize(("patch", "name"), shared_out(EXPLORED))
def test_it_is_not_accused_by_a_search(patch: str, name: str) -> None:
    few = ("--states", "30000") if name in LARGE else ()
    assert new_findings(("explore", name, *few), patch) == RACES.get((patch, name), [])


@pytest.mark.proof
@pytest.mark.parametrize(("patch", "name"), shared_out([*EXPLORED, *TIMED]))
def test_it_is_not_accused_by_a_run(patch: str, name: str) -> None:
    assert new_findings(("run", name), patch) == RIGHTLY.get((patch, name), [])


def test_an_error_of_ours_is_not_the_patch_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hgeisim.report.run.fingerprint", 1)
    variant = f"v7.0+{FOLDER}/sound.py:StepMore"
    output = hgeisim("run", "blocked-move", "--until", "50us", "--variant", variant)
    assert (output.status, "internal error, a fault of hgeisim" in output.err) == (3, True)
