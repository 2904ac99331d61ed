"""What an exploration says about data races, beside what its search found."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from hgeisim.checks.catalogue import not_checked
from hgeisim.drivers.explored.model.system import RACED
from hgeisim.drivers.explored.races.trial import Races
from hgeisim.drivers.explored.strategies.verdict import Counterexample, ended
from hgeisim.report.data_race import race_facts
from hgeisim.report.exploration import finding_of
from hgeisim.scenario.schema import Scenario


def add_races(
    result: dict[str, Any], scenario: Scenario, races: Races, new: Collection[str]
) -> None:
    """Add the findings and the coverage to the document of an exploration."""
    result["data_races"] = {
        "coverage": races.coverage,
        "states": races.states,
        "schedules": races.schedules,
        "cut": f", where it {ended(races.stopped)}" if races.stopped else "",
    }
    result["not_checked"] = not_checked(RACED)
    for finding_id, race in races.found.items():
        shown = Counterexample(race.finding, race.schedule)
        made = finding_of(result["scenario"], scenario, shown, finding_id in new)
        made["replay"] += " --races"
        result["findings"].append(made | {"race": race_facts(race)})
