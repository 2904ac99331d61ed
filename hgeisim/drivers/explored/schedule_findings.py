"""The findings of a single schedule: the standing of each against the base, and its cause.

The base follows the schedule of a patch, or is searched for a short while.

A finding is accepted in a kernel by its cause, as the schedules with the fewest switches show it.
A schedule with more switches may have other parties.  So if no search has found such a schedule,
and the finding belongs to the base, only the landmarks count: for a base without patches always,
and for one with shipped patches if the base shows the finding when it follows the same schedule.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import replace

from hgeisim.checks.catalogue import is_data_race, is_lock_order
from hgeisim.checks.finding import (
    EASIER,
    INTRODUCED,
    PRE_EXISTING,
    UNKNOWN,
    Cause,
    Finding,
    Standing,
)
from hgeisim.drivers.explored.base import FEW_SWITCHES, Base
from hgeisim.drivers.explored.counterexample.cause import cause_of
from hgeisim.drivers.explored.explored_scenario import space_of
from hgeisim.drivers.explored.guided_replay import shown_when_guided
from hgeisim.drivers.explored.lock_trial import lock_standings
from hgeisim.drivers.explored.model.budget import Spent
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.races.trial import race_standings
from hgeisim.drivers.explored.strategies.context_bounding import fewest_switches, wish_for
from hgeisim.drivers.explored.strategies.verdict import Counterexample, Schedule, switches
from hgeisim.scenario.canonical import on_variant
from hgeisim.scenario.schema import Scenario
from hgeisim.scenario.streams import Streams


def of_the_base(space: Space, scenario: Scenario, ways: Mapping[str, Schedule]) -> frozenset[str]:
    """The ids of the findings that are the base's own; all of them if there is no patch."""
    base, _, patches = scenario.kernel.variant.partition("+")
    if not patches or not ways:
        return frozenset(ways)
    other = space_of(on_variant(scenario, base), budget=space.system.budget)
    return shown_when_guided(space, ways.values(), other) & ways.keys()


def least_causes(
    space: Space, scenario: Scenario, causes: Mapping[str, Cause], schedule: Schedule
) -> dict[str, Cause]:
    """The causes of findings in schedules with the fewest switches, if those are found soon; else
    those in this schedule, or if the base shows the finding, only its landmarks."""
    found = {i: way.finding.cause for i, way in least_ways(space, causes).items()}
    others = {i: schedule for i in causes if i not in found}
    own = of_the_base(space, scenario, others)
    rest = {i: causes[i].of_some_schedule if i in own else causes[i] for i in others}
    return {i: (found | rest)[i] for i in causes}


def least_ways(space: Space, ids: Collection[str]) -> dict[str, Counterexample]:
    """Schedules with the fewest switches, each with its cause, of the findings that are reached
    soon, before the budget is spent."""
    ways: Mapping[str, Counterexample] = {}
    if ids:
        with suppress(Spent, MemoryError):
            ways = fewest_switches(space, FEW_SWITCHES, wish_for(ids)).ways
    return {i: explained(space, ways[i]) for i in sorted(ways.keys() & {*ids})}


def explained(space: Space, shown: Counterexample) -> Counterexample:
    """The same, with the cause of its finding as its own schedule shows it."""
    cause = cause_of(space, shown.schedule, shown.finding.id)
    return replace(shown, finding=replace(shown.finding, cause=cause))


def standings_along(
    space: Space, base: Base, schedule: Schedule, found: Mapping[str, Finding]
) -> dict[str, Standing]:
    """The standing of each finding: the base is recorded to show it, shows it along the schedule as
    far as it can follow, or in few switches; lock order is compared as in an exploration."""
    below = Streams(base.scenario.run.seed).stream("lock-order").below
    of_locks = [each for i, each in found.items() if is_lock_order(i)]
    races = [each for i, each in found.items() if is_data_race(i)]
    others = [i for i in found if not (is_lock_order(i) or is_data_race(i))]
    return {
        **lock_standings(of_locks, base, schedule, below),
        **{i: each for (i, _), each in race_standings(races, base, FEW_SWITCHES, below)[0].items()},
        **_searched(space, base, schedule, others),
    }


def _searched(
    space: Space, base: Base, schedule: Schedule, ids: Collection[str]
) -> dict[str, Standing]:
    """The standing of findings, after a recorded or a short search of the base."""
    own, (needs, whole) = switches(schedule), _needs(space, base, schedule, ids)
    not_shown = INTRODUCED if whole else UNKNOWN
    words = {i: EASIER if own < least else PRE_EXISTING for i, least in needs.items()}
    return {i: Standing(words.get(i, not_shown)) for i in ids}


def _needs(
    space: Space, base: Base, schedule: Schedule, ids: Collection[str]
) -> tuple[dict[str, int], bool]:
    """The switches that the base needs at least for each finding that it is known to have, and
    whether it has no other."""
    if base.recorded is not None:
        return {i: bounds.least for i, bounds in base.recorded.switches.items()}, True
    needs = dict.fromkeys(shown_when_guided(space, [schedule], base.space), 0)
    missing = [i for i in ids if i not in needs]
    if not missing:
        return needs, False
    fewest = base.in_few_states(missing)
    ways = {i: way.switches for i, way in fewest.ways.items()}
    return needs | ways, fewest.levels is None
