"""The policies of docs/policies.py have no races of their own, and a steal without its lock has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hgeisim.checks.finding import COUNTING
from tests.support.commands import Told, hgeisim
from tests.support.source import ROOT

POLICIES = ROOT / "docs/policies.py"
SLEEPER = ROOT / "tests/data/scenarios/line-of-a-sleeper.toml"
NAMES = (
    *("Fail", "Rotate", "LeastUsed"),
    *("PinnedAdmission", "StealFromSleeper", "ReleaseOnBlock"),
)
REFUSED = "entry-refused:auto"
"""Fail breaks the promise of AUTO, and that is what it is for."""


def searched(scenario: str, policy: str, place: Path = POLICIES) -> Told:
    return hgeisim("explore", scenario, "--variant", f"v7.3+{place}:{policy}", "--json")


def document(told: Told) -> Any:
    return json.loads(told.out)


def introduced(told: Told) -> set[str]:
    found = document(told)["findings"]
    return {each["id"] for each in found if each["standing"] in COUNTING}


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("scenario", ["moved-sleeper", "one-vm"])
def test_a_policy_is_as_sound_as_its_base(scenario: str, name: str) -> None:
    told = searched(scenario, name)
    assert document(told)["verdict"] == "exhausted"
    assert introduced(told) == set()


@pytest.mark.slow
def test_a_steal_races_with_the_sleeper_and_neither_loses() -> None:
    told = searched(str(SLEEPER), "StealFromSleeper")
    assert document(told)["verdict"] == "exhausted"
    assert introduced(told) == set()
    assert not {"take_from_sleeper", "longest_sleeper"} & {*document(told)["never_entered"]}


@pytest.mark.proof
def test_without_its_lock_it_loses_lines_and_interrupts(tmp_path: Path) -> None:
    """The sleeper wakes up elsewhere and moves its file while that is being taken."""
    text = POLICIES.read_text(encoding="utf-8")
    for word in ("lock", "unlock"):
        text = text.replace(f"yield vcpu.sleep_lock.{word}\n", "yield STEP\n")
    place = tmp_path / "unlocked.py"
    place.write_text(text, encoding="utf-8")
    told = searched(str(SLEEPER), "StealFromSleeper", place)
    assert told.status == 1
    assert introduced(told) >= {"double-free:hgei", "foreign-vsfile:hgei", "sent-lost:vcpu"}


@pytest.mark.proof
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("scenario", ["contend", "move-offline"])
def test_nor_does_a_larger_scenario_show_more(scenario: str, name: str) -> None:
    assert introduced(searched(scenario, name)) == ({REFUSED} if name == "Fail" else set())
