"""A race trial: the data races of a kernel in a scenario, and those that its base does not have.

They are looked for in all states that a search reaches; if it does not finish, along random
schedules as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from hgeisim.checks.finding import INTRODUCED, PRE_EXISTING, UNKNOWN, Finding, Standing
from hgeisim.drivers.explored.base import Base
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.races.data_race import Key, Race, first_of_each, key_of
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

    all: list[Race] = field(default_factory=list)
    coverage: str = SAMPLED
    states: int = 0
    schedules: int = 0
    stopped: BaseException | None = None

    @property
    def found(self) -> dict[str, Race]:
        """One race of each id: the first."""
        return first_of_each(self.all)

    def put_first(self, is_new: Callable[[Race], bool]) -> None:
        """Let those races stand for their ids that are new, where there are others of an id."""
        self.all.sort(key=lambda race: not is_new(race))


def look_for_races(
    space: Space, states_max: int, below: Below, drawn: Strategy | None = None
) -> Races:
    """Look for races in `states_max` states at most; with 0 only along schedules: those that are
    `drawn`, or random ones."""
    made = Races()
    if states_max:
        verdict, races = races_of(space, states_max)
        made = Races(races, verdict.coverage, verdict.states)
        made.stopped = verdict.stopped
    if made.coverage != EXHAUSTED and made.stopped is None:
        sample = races_along(space, drawn or Random(below, WALKS))
        made.all = [*({race.key: race for race in made.all} | sample.all).values()]
        made.schedules, made.stopped = sample.schedules, sample.stopped
    return made


def races_shown(space: Space, schedule: Schedule) -> dict[str, Race]:
    """The races along one schedule and in its last state."""
    along, fine = races_along(space, Given([schedule])), space.fine
    at_end = Singly(fine).at(fine.state_after(schedule), schedule)
    return first_of_each((*at_end, *along.all.values()))


def race_standings(
    found: Iterable[Finding], base: Base, states_max: int, below: Below
) -> tuple[dict[Key, Standing], BaseException | None]:
    """The standing of data races against the base in the same scenario, and the error that ended
    the search of the base, if one did.  A race in a piece of a function where the base has none is
    not the base's."""
    accepted = {key_of(each): base.accepts(each.id, each.cause) for each in found}
    other = Races()
    if not all(accepted.values()):
        other = look_for_races(base.space, states_max, below)
    known = {race.key for race in other.all}
    missing = UNKNOWN if other.stopped is not None else INTRODUCED
    return {
        key: Standing(PRE_EXISTING if accepts or key in known else missing)
        for key, accepts in accepted.items()
    }, other.stopped
