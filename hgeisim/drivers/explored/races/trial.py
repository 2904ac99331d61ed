"""A race trial: the data races of a kernel in a scenario, and those that its base does not have.

They are looked for in all states that a search reaches; if it does not finish, along random
schedules as well.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from hgeisim.checks.finding import INTRODUCED, PRE_EXISTING, UNKNOWN, Standing
from hgeisim.drivers.explored.base import Base
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.races.data_race import Race
from hgeisim.drivers.explored.races.happens_before import races_along
from hgeisim.drivers.explored.races.side_by_side import Singly, races_of
from hgeisim.drivers.explored.strategies.sampling import Random
from hgeisim.drivers.explored.strategies.strategy import Below, Given, Strategy
from hgeisim.drivers.explored.strategies.verdict import EXHAUSTED, SAMPLED, Schedule

WALKS = 64
"""Random schedules after a search that does not finish."""
WALKS_MAX = 500
"""Schedules drawn at most, however many were asked for; each takes some ms."""


@dataclass
class Races:
    """The races found, and how far they were looked for; `stopped` is the error that ended it."""

    found: dict[str, Race] = field(default_factory=dict)
    coverage: str = SAMPLED
    states: int = 0
    schedules: int = 0
    stopped: BaseException | None = None


def look_for_races(
    space: Space, states_max: int, below: Below, drawn: Strategy | None = None
) -> Races:
    """Look for races in `states_max` states at most; with 0 only along schedules: those that are
    `drawn`, or random ones."""
    made = Races()
    if states_max:
        verdict, races = races_of(space, states_max)
        made = Races({each.finding.id: each for each in races}, verdict.coverage, verdict.states)
        made.stopped = verdict.stopped
    if made.coverage != EXHAUSTED and made.stopped is None:
        sample = races_along(space, drawn or Random(below, WALKS))
        made.found = sample.races | made.found
        made.schedules, made.stopped = sample.schedules, sample.stopped
    return made


def races_shown(space: Space, schedule: Schedule) -> dict[str, Race]:
    """The races along one schedule and in its last state."""
    along, found = races_along(space, Given([schedule])).races, dict[str, Race]()
    at_end = Singly(space.fine).at(space.fine.state_after(schedule), schedule)
    for race in (*at_end, *along.values()):
        found.setdefault(race.finding.id, race)
    return found


def race_standings(
    ids: Iterable[str], base: Base, states_max: int, below: Below
) -> tuple[dict[str, Standing], BaseException | None]:
    """The standing of data races against the base in the same scenario, and the error that ended
    the search of the base, if one did."""
    found = [*ids]
    if not found or all(map(base.accepts, found)):
        return {i: Standing(PRE_EXISTING) for i in found}, None
    other = look_for_races(base.space, states_max, below)
    missing = UNKNOWN if other.stopped is not None else INTRODUCED
    words = {i: PRE_EXISTING for i in found if i in other.found or base.accepts(i)}
    return {i: Standing(words.get(i, missing)) for i in found}, other.stopped
