"""Shapes of known bugs that the shipped scenarios do not have are known by the same names."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.commands import hgeisim

SHAPES = Path(__file__).parent / "data/scenarios"


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["v6.12", "v7.1"])
def test_rw_attr_that_meets_a_reset_is_b10(variant: str) -> None:
    told = hgeisim("explore", str(SHAPES / "attr-reset.toml"), "--variant", variant, "--json")
    named = {each["id"]: each["known_as"] for each in told.document()["findings"]}
    assert named["foreign-vsfile:hgei"] == "B-10"
    assert told.status == 0


@pytest.mark.slow
def test_a_sleeper_that_moved_is_deaf_by_b03() -> None:
    told = hgeisim("explore", str(SHAPES / "moved-back.toml"), "--variant", "v6.16", "--json")
    named = {each["id"]: each["known_as"] for each in told.document()["findings"]}
    assert (named["deaf:vcpu"], named["lost-wakeup:vcpu"]) == ("B-03", "B-03")


@pytest.mark.proof
def test_a_guest_that_sends_to_itself_shows_f3_as_well() -> None:
    told = hgeisim("explore", str(SHAPES / "offline-page-write.toml"), "--json")
    named = {each["id"]: each["known_as"] for each in told.document()["findings"]}
    assert (named["set-up-lost:vcpu"], told.status) == ("F-3", 0)
