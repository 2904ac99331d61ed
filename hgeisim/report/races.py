"""What an exploration says about data races, beside what its search found."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from hgeisim.checks.catalogue import not_checked
from hgeisim.checks.known import known_facts
from hgeisim.drivers.explored.counterexample.shrink import switches
from hgeisim.drivers.explored.explorable import token_of
from hgeisim.drivers.explored.model.system import RACED
from hgeisim.drivers.explored.races.trial import Races
from hgeisim.drivers.explored.strategies.verdict import ended
from hgeisim.report.data_race import race_facts
from hgeisim.report.exploration import replay_facts
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
    kernel = scenario.kernel
    for finding_id, race in races.found.items():
        facts = replay_facts(token_of(result["scenario"], scenario, race.schedule))
        facts["replay"] += " --races"
        result["findings"].append(
            {
                "id": finding_id,
                "text": race.text,
                "new": finding_id in new,
                **known_facts(finding_id, kernel.variant, kernel.realtime),
                "steps": len(race.schedule),
                "switches": switches(race.schedule),
                "also_shows": [],
                **facts,
                "race": race_facts(race),
            }
        )
