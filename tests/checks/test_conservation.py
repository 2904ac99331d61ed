"""Nothing is lost: each check of conservation notices a patch that breaks its rule."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from hgeisim.drivers.explored.explored_scenario import space_of
from hgeisim.drivers.explored.strategies.exhaustive import exhaustive
from hgeisim.kernel.variants import variant_problem
from hgeisim.library.own_patch import execute
from hgeisim.scenario.load import load_scenario, scenario_from
from tests.support.commands import hgeisim
from tests.support.kernels import PROVED

DATA = Path(__file__).parent.parent / "data"
PATCHES = DATA / "patches/broken.py"
STATES = 200_000
EXPLORED = {
    "NothingArmed": ("moved-sleeper", "deaf:vcpu"),
    "NothingRestored": ("moved-sleeper", "set-up-lost:vcpu"),
    "PendingForgotten": ("moved-sleeper", "sent-lost:vcpu"),
    "ReleaseForgets": ("stale-attr", "set-up-lost:vcpu"),
    "FreedBeforeRead": ("stale-attr", "double-free:hgei"),
    "NothingTaken": ("sleeper-offline", "now-on-offline:vsfile"),
    "PageStays": ("stale-attr", "stale-pte:vcpu"),
    "VgeinStays": ("moved-sleeper", "register:vgein"),
    "LevelStays": ("on-swfile", "level:swfile"),
    "LevelBeside": ("contend", "level:vsfile"),
    "FileKept": ("on-swfile", "guest-file:vcpu"),
    "NotDisarmed": ("moved-sleeper", "storm:sgei"),
    "ResetKeeps": ("reset-release", "reset-kept:vcpu"),
    "ResetKeepsEip": (f"{DATA}/scenarios/reset-pending.toml", "reset-kept:vcpu"),
    "ResetKeepsHvip": (f"{DATA}/scenarios/reset-swfile.toml", "reset-kept:hvip"),
    "OtherLine": ("two-lines", "stray:vcpu"),
    "FreedTwice": ("moved-sleeper", "double-free:hgei"),
    "NothingFreed": ("moved-sleeper", "armed:not-its-file"),
    "FileNotCleared": ("reused-line", "stray:vcpu"),
    "EnableForgets": ("moved-sleeper", "register:hie.SGEIE"),
}
"""Where a search shows what is wrong with a patch, and as what."""
RUN = {
    "NothingArmed": ("migration-storm", "deaf:vcpu"),
    "NothingRestored": ("migration-storm", "set-up-lost:vcpu"),
    "PendingForgotten": ("migration-storm", "sent-lost:vcpu"),
    "ReleaseForgets": ("hotplug-storm", "set-up-lost:vcpu"),
    "FreedBeforeRead": ("migration-storm", "double-free:hgei"),
    "NothingTaken": ("hotplug-storm", "now-on-offline:vsfile"),
    "PageStays": ("hotplug-storm", "stale-pte:vcpu"),
    "LevelStays": ("exhaustion-auto", "level:swfile"),
    "LevelBeside": ("migration-storm", "level:vsfile"),
    "FileKept": ("migration-storm", "guest-file:vcpu"),
    "NotDisarmed": ("sgei-storm", "storm:sgei"),
    "VgeinStays": ("hotplug-storm", "register:vgein"),
    "EnableForgets": ("hotplug-storm", "register:hie.SGEIE"),
    "NothingFreed": ("hotplug-storm", "armed:not-its-file"),
}


def found_in(scenario: str, variant: str, wanted: str) -> bool:
    """Whether a search comes to a finding."""
    space = space_of(load_scenario(scenario, {"variant": variant}, variant_problem))
    verdict = exhaustive(space, STATES, enough=lambda finding: finding == wanted)
    return wanted in verdict.counterexamples


@cache
def of_the_base(scenario: str) -> frozenset[str]:
    """The findings of a search of v7.0."""
    space = space_of(load_scenario(scenario, {"variant": "v7.0"}))
    return frozenset(exhaustive(space, STATES).counterexamples)


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPLORED)
def test_a_search_notices(name: str) -> None:
    scenario, wanted = EXPLORED[name]
    variant = f"v7.0+{PATCHES}:{name}"
    execute(variant)
    assert found_in(scenario, variant, wanted)


@pytest.mark.slow
@pytest.mark.parametrize("name", RUN)
@pytest.mark.proof
def test_a_run_notices(name: str) -> None:
    scenario, wanted = RUN[name]
    result = hgeisim("run", scenario, "--variant", f"v7.0+{PATCHES}:{name}", "--json").document()
    assert wanted in [finding["id"] for finding in result["findings"]]


@pytest.mark.slow
@pytest.mark.parametrize("scenario", ["contend", "one-vm", "two-lines", "on-swfile", "reused-line"])
def test_without_hotplug_nothing_is_lost(scenario: str) -> None:
    assert of_the_base(scenario) <= {"armed:free-line"}


@pytest.mark.slow
@pytest.mark.parametrize("scenario", ["reset-pending", "reset-swfile", "reset-on-the-way"])
@pytest.mark.parametrize("variant", PROVED)
def test_a_reset_drops_what_was_pending_and_nothing_else(scenario: str, variant: str) -> None:
    space = space_of(load_scenario(f"{DATA}/scenarios/{scenario}.toml", {"variant": variant}))
    assert set(exhaustive(space, STATES).counterexamples) <= {"armed:free-line"}


def test_an_ioctl_that_enables_what_the_guest_has_not_set_up_yet_is_no_set_up() -> None:
    vcpu = {"name": "v1", "hart": 0}
    own = {"name": "vcpu/v1", "vcpu": "v1", "does": ["exit"]}
    monitor = {"name": "monitor", "hart": 1, "does": ["set_eie v1"]}
    machine = {"harts": [{"count": 2, "guest_files": 1}]}
    run = {"until": "1ms"}
    scenario = scenario_from(
        {"title": "t", "machine": machine, "run": run, "vcpu": [vcpu], "task": [own, monitor]}
    )
    verdict = exhaustive(space_of(scenario), STATES)
    assert not {*verdict.counterexamples} - {"waits-for-guest:vcpu->mutex"}


@pytest.mark.slow
def test_the_account_of_a_run_fits() -> None:
    for name in ("hotplug-storm", "vm-churn", "big-little"):
        document = hgeisim("run", name, "--json").document()
        msis, ids = document["msis"], {each["id"] for each in document["findings"]}
        for row in (msis["all"], *msis["vms"].values()):
            parts = sum(row[fate] for fate in ("delivered", "merged", "pending", "lost"))
            assert row["sent"] == parts + sum(row["dropped"].values())
        assert bool(msis["all"]["lost"]) == ("sent-lost:vcpu" in ids) == (name == "hotplug-storm")
        assert msis["all"]["sent"] == sum(row["sent"] for row in msis["vms"].values()) > 100
