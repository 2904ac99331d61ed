"""The findings of one schedule of a patch, compared with what the base shows along it."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from hgeisim.checks.catalogue import is_data_race, is_lock_order
from hgeisim.checks.finding import Finding
from hgeisim.checks.standing import EASIER, INTRODUCED, PRE_EXISTING, UNKNOWN, Standing
from hgeisim.drivers.explored.base import Base
from hgeisim.drivers.explored.counterexample.shrink import switches
from hgeisim.drivers.explored.led import shown_when_led
from hgeisim.drivers.explored.lock_trial import lock_standings
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.races.trial import race_standings
from hgeisim.drivers.explored.strategies.fewest_switches import fewest_switches, wish_for
from hgeisim.drivers.explored.strategies.verdict import Schedule
from hgeisim.drivers.explored.trial import FEW_SWITCHES
from hgeisim.scenario.streams import Streams


def standings_along(
    space: Space, base: Base, schedule: Schedule, found: Mapping[str, Finding]
) -> dict[str, Standing]:
    """How each finding compares: the base is recorded to show it, shows it along the schedule as
    far as it can follow, or in few switches; lock order as an exploration compares it."""
    below = Streams(base.scenario.run.seed).stream("lock-order").below
    of_locks = [each for i, each in found.items() if is_lock_order(i)]
    races = [i for i in found if is_data_race(i)]
    others = [i for i in found if not (is_lock_order(i) or is_data_race(i))]
    return {
        **lock_standings(of_locks, base, schedule, below),
        **race_standings(races, base, FEW_SWITCHES, below)[0],
        **_searched(space, base, schedule, others),
    }


def _searched(
    space: Space, base: Base, schedule: Schedule, ids: Collection[str]
) -> dict[str, Standing]:
    """What a search of the base says of them, one that is recorded or a short one."""
    own, (needs, whole) = switches(schedule), _needs(space, base, schedule, ids)
    not_shown = INTRODUCED if whole else UNKNOWN
    words = {i: EASIER if own < least else PRE_EXISTING for i, least in needs.items()}
    return {i: Standing(words.get(i, not_shown)) for i in ids}


def _needs(
    space: Space, base: Base, schedule: Schedule, ids: Collection[str]
) -> tuple[dict[str, int], bool]:
    """How many switches the base needs at least for what it shows, as far as that is known, and
    whether that is all there is."""
    if base.recorded is not None:
        return {i: bounds.least for i, bounds in base.recorded.switches.items()}, True
    needs = dict.fromkeys(shown_when_led(space, [schedule], base.space), 0)
    missing = [i for i in ids if i not in needs]
    if not missing:
        return needs, False
    fewest = fewest_switches(base.space, FEW_SWITCHES, wish_for(missing))
    ways = {i: way.switches for i, way in fewest.ways.items()}
    return needs | ways, fewest.levels is None
