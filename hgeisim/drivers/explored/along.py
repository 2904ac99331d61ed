"""The findings of one schedule of a patch, compared with what the base shows along it."""

from __future__ import annotations

from collections.abc import Collection

from hgeisim.checks.catalogue import is_lock_order
from hgeisim.checks.standing import INTRODUCED, PRE_EXISTING, UNKNOWN, Standing
from hgeisim.drivers.explored.base import Base
from hgeisim.drivers.explored.strategies.fewest_switches import fewest_switches, wish_for
from hgeisim.drivers.explored.strategies.lock_walks import lock_walks
from hgeisim.drivers.explored.strategies.verdict import Schedule
from hgeisim.drivers.explored.trial import FEW_SWITCHES, replayed


def standings_along(base: Base, schedule: Schedule, ids: Collection[str]) -> dict[str, Standing]:
    """How each finding compares: the base is recorded to show it, shows it along the schedule as
    far as it can follow, or in few switches."""
    walks = lock_walks(base.space, [schedule], 0, lambda _: 0)
    searched, whole = _searched(base, schedule, ids)
    shown = walks.findings.keys() | searched
    return {i: Standing(_word(i, i in shown, whole)) for i in ids}


def _searched(base: Base, schedule: Schedule, ids: Collection[str]) -> tuple[frozenset[str], bool]:
    """The ids of what a search of the base shows, and whether that is all there is."""
    if base.recorded is not None:
        return frozenset(base.recorded.switches), True
    shown, whole = replayed(base.space, [schedule]), False
    if missing := [i for i in ids if i not in shown and not is_lock_order(i)]:
        fewest = fewest_switches(base.space, FEW_SWITCHES, wish_for(missing))
        shown, whole = shown | fewest.ways.keys(), fewest.levels is None
    return shown, whole


def _word(finding_id: str, shown: bool, whole: bool) -> str:
    if shown:
        return PRE_EXISTING
    return INTRODUCED if whole and not is_lock_order(finding_id) else UNKNOWN
