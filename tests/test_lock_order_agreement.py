"""Run, explore, replay and locks check report the same lock-order findings."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from hgeisim.checks.catalogue import is_lock_order
from tests.commands import Told, hgeisim
from tests.source import ROOT

PATCHES = "tests/data/patches"


class Case(NamedTuple):
    """A scenario, the kernel that it is played on, and what is wrong with its lock order."""

    scenario: str
    variant: str
    ids: set[str]


CASES = [
    Case(
        f"{PATCHES}/stale-nothread.toml",
        f"v7.1+{PATCHES}/stale.py:Serialized",
        {"circular:kvm->lock -EN-> vcpu->mutex -EN->"},
    ),
    Case(
        f"{PATCHES}/abba.toml",
        f"v7.1+{PATCHES}/abba.py:Abba",
        {
            "wait-context:vcpu->hfence_lock imsic->swfile_extirq_lock",
            "circular:imsic->swfile_extirq_lock -EN-> vcpu->hfence_lock -EN->",
        },
    ),
]


def findings(told: Told) -> dict[str, Any]:
    assert told.status == 1
    found = {each["id"]: each for each in told.document()["findings"]}
    return {i: each for i, each in found.items() if is_lock_order(i)}


@pytest.fixture(autouse=True)
def _in_the_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.variant.rpartition(":")[2])
def test_four_commands_agree(case: Case) -> None:
    """The scenario has one order of its tasks that matters, so they play the same schedule."""
    where = (case.scenario, "--variant", case.variant, "--json")
    ran, explored = findings(hgeisim("run", *where)), findings(hgeisim("explore", *where))
    checked = hgeisim("locks", "check", *where, "--baseline", "v7.1")
    assert checked.status == 1
    assert set(ran) == set(explored) == case.ids
    assert {each["id"] for each in checked.document()["findings"]} >= case.ids
    alone = {i: each for i, each in explored.items() if each["alone"]}
    assert alone
    for name, finding in alone.items():
        replay = finding["replay"].split()
        assert name in findings(hgeisim(*replay[1:], "--json"))


@pytest.mark.slow
def test_a_known_circle_is_seen_by_an_exploration() -> None:
    found = hgeisim("explore", "host-shutdown", "--walk", "50", "--json").document()["findings"]
    known = {each["id"] for each in found if each["known_as"].startswith("F-4")}
    assert any(each.startswith("circular:") for each in known), known
