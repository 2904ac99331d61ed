"""An accepted id by another cause is new: every entry has a planted fault that gives its ids."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from hgeisim.checks.catalogue import is_lock_order
from hgeisim.checks.finding import Cause
from hgeisim.checks.known import Known, entries, new_findings
from hgeisim.drivers.explored.counterexample.cause import cause_of
from hgeisim.drivers.explored.explored_scenario import space_of
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.strategies.context_bounding import fewest_switches, wish_for
from hgeisim.drivers.explored.strategies.lock_walks import WALKS, lock_walks
from hgeisim.drivers.timed.simulation import simulate
from hgeisim.kernel.variants import PATCHES
from hgeisim.scenario.load import load_scenario, scenario_from
from hgeisim.scenario.streams import Streams
from tests.checks.planted import RefusesAll
from tests.checks.plants import NOT_TOLD_APART, PLANTS

RECORD = Path(__file__).parent.parent / "data/causes.json"
STATES = 200_000
MS = 1_000_000
SEARCHED = [(name, finding) for name, plant in PLANTS.items() for finding in plant.ids]


UNSERVED = "unserved:vcpu"
"""Only a run reports it; the faults are in tests/timed/test_quiet.py."""
REFUSED = "mode-refused:aia"
REFUSING = ("v7.0+percpu-v5", "v7.2")
"""Where a HART without lines is known to take a mode away."""
ACCEPTED = [
    (number, finding)
    for number, entry in enumerate(entries())
    if entry.accepted
    for finding in entry.ids
]


def has_plant(entry: Known, finding: str) -> bool:
    """Whether a fault gives an id on a variant on which the entry holds."""
    if finding == UNSERVED:
        return entry.holds_in("v6.12", realtime=False) or entry.holds_in("v6.16", realtime=False)
    if finding == REFUSED:
        return any(entry.holds_in(f"{base}+planted", realtime=False) for base in REFUSING)
    plants = (plant for plant in PLANTS.values() if finding in plant.ids)
    return any(entry.holds_in(plant.variant, plant.realtime) for plant in plants)


@pytest.mark.parametrize(("number", "finding"), ACCEPTED)
def test_each_accepted_id_has_a_planted_fault_or_a_reason(number: int, finding: str) -> None:
    planted_there = has_plant(entries()[number], finding)
    assert planted_there is not bool(NOT_TOLD_APART.get(finding, "").strip())


@cache
def causes_in(name: str, variant: str) -> dict[str, Cause]:
    """The findings of a plant's scenario among the plant's ids on a variant, and the causes."""
    plant = PLANTS[name]
    space = space_of(plant.scenario(variant))
    below = Streams(1).stream("lock-order").below
    ordered = [each for each in plant.ids if is_lock_order(each)]
    walks = lock_walks(space, [], WALKS, below).causes if ordered else {}
    found = {each: walks[each] for each in ordered if each in walks}
    return found | searched(space, [each for each in plant.ids if each not in ordered])


def searched(space: Space, ids: list[str]) -> dict[str, Cause]:
    """The same of what a search finds."""
    ways = fewest_switches(space, STATES, wish_for(ids)).ways if ids else {}
    return {each: cause_of(space, ways[each].schedule, each) for each in ids if each in ways}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "finding"), SEARCHED)
def test_another_cause_is_new(name: str, finding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plant = PLANTS[name]
    monkeypatch.setitem(PATCHES, "planted", plant.fault)
    found = causes_in(name, plant.variant)
    assert finding in found
    cause = {finding: found[finding]}
    assert new_findings(cause, plant.variant, realtime=plant.realtime) == [finding]


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, plant in PLANTS.items() if not plant.instead])
def test_the_base_does_not_show_it_there(name: str) -> None:
    assert causes_in(name, PLANTS[name].base) == {}


@pytest.mark.parametrize("base", REFUSING)
def test_a_mode_that_is_refused_where_all_harts_have_lines_is_new(
    base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PATCHES, "planted", RefusesAll)
    often = {"distribution": "exponential", "mean": "100us"}
    tables = {
        "machine": {"harts": [{"count": 2, "guest_files": 1}]},
        "kernel": {"variant": "v7.0+percpu-v5+planted"},
        "vm": [{"name": "vm", "vcpus": 1, "mode": "hwaccel", "run": often, "msi": often}],
    }
    simulation = simulate(scenario_from(tables))
    simulation.run(MS)
    cause = {REFUSED: simulation.causes[REFUSED]}
    assert new_findings(cause, f"{base}+planted") == [REFUSED]


class Recorded(NamedTuple):
    """A finding of a shipped kernel in a scenario of this project, and its cause."""

    scenario: str
    variant: str
    finding: str
    happened: list[str]
    parties: list[str]
    leading: list[str]

    def __str__(self) -> str:
        return f"{self.finding} {self.scenario} {self.variant}"

    @property
    def cause(self) -> Cause:
        """The cause."""
        return Cause(*map(frozenset, (self.happened, self.parties, self.leading)))


RECORDED = [Recorded(*row) for row in json.loads(RECORD.read_text(encoding="utf-8"))]
"""Each cause once, in the schedules with the fewest switches."""
SMALL = ("blocked-move", "module-exit", "stale-attr")


@pytest.mark.parametrize(
    "row", RECORDED, ids=lambda row: f"{row.finding} {row.scenario} {row.variant}"
)
def test_its_own_cause_is_accepted(row: Recorded) -> None:
    found, realtime = {row.finding: row.cause}, row.scenario == "realtime"
    assert new_findings(found, row.variant, realtime=realtime) == []


@pytest.mark.slow
@pytest.mark.parametrize("scenario", SMALL)
def test_the_record_of_causes_is_right(scenario: str) -> None:
    for row in RECORDED:
        if row.scenario == scenario:
            space = space_of(load_scenario(scenario, {"variant": row.variant}))
            assert searched(space, [row.finding]) == {row.finding: row.cause}
