"""A token that is replayed is judged as the exploration has judged it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hgeisim.checks.finding import Bounds, Finding
from hgeisim.drivers.explored.base import Base
from hgeisim.drivers.explored.comparison import Shown
from hgeisim.drivers.explored.schedule_findings import standings_along
from hgeisim.scenario.load import load_scenario
from tests.support.commands import hgeisim

PATCHES = Path(__file__).parent.parent / "data/patches"
WAITS = "wait-context:imsic->vsfile_lock rq->__lock"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scenario", "patch"),
    [("reads_first.toml", "reads_first.py:ReadsFirst"), ("moved-sleeper", "judged.py:LooksAgain")],
)
def test_a_replay_says_what_the_exploration_says(
    monkeypatch: pytest.MonkeyPatch, scenario: str, patch: str
) -> None:
    monkeypatch.chdir(PATCHES)
    variant = ("--variant", f"v7.0+{patch}")
    file = ("--scenario", scenario) if scenario.endswith(".toml") else ()
    output = hgeisim("explore", scenario, *variant, "--json")
    findings = json.loads(output.out)["findings"]
    assert WAITS in {each["id"] for each in findings}
    for each in findings:
        again = hgeisim("replay", each["token"], *file, *variant, "--json")
        by_id = {one["id"]: one for one in again.document()["findings"]}
        assert by_id[each["id"]]["standing"] == each["standing"]
        if {one["standing"] for one in by_id.values()} == {"pre-existing"}:
            assert again.status == 0


def test_lock_order_that_is_accepted_of_the_base_need_not_be_shown_by_it() -> None:
    base = Base(load_scenario("move-offline", {"variant": "v7.0"}), 0)
    base.recorded = Shown({}, None)
    found = {WAITS: Finding("wait-context", "imsic->vsfile_lock rq->__lock", "")}
    assert found[WAITS].id == WAITS
    assert standings_along(base.space, base, (), found)[WAITS].word == "pre-existing"


def test_fewer_switches_than_the_base_is_recorded_to_need_are_easier() -> None:
    base = Base(load_scenario("move-offline", {"variant": "v7.0"}), 0)
    base.recorded = Shown({"leak:hgei": Bounds(3, 3)}, None)
    found = {f"{kind}:hgei": Finding(kind, "hgei", "") for kind in ("leak", "double-free")}
    for schedule, word in (((0, 1, 0), "easier"), ((0, 1, 0, 1), "pre-existing")):
        words = {
            i: each.word for i, each in standings_along(base.space, base, schedule, found).items()
        }
        assert words == {"leak:hgei": word, "double-free:hgei": "introduced"}
