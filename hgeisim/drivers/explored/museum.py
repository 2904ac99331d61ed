"""The museum: bugs of this code, each of which a search has to find, and not in the kernel with its
fix.

Both are searched in the same scenario, in the same way, up to as many states.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from time import process_time
from typing import NamedTuple

from hgeisim.checks.catalogue import is_data_race
from hgeisim.drivers.explored.counterexample.shrink import shrink
from hgeisim.drivers.explored.explorer import space_of
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.races.side_by_side import races_of
from hgeisim.drivers.explored.reach import Reach
from hgeisim.drivers.explored.strategies.portfolio import portfolio
from hgeisim.drivers.explored.strategies.verdict import Counterexample, Verdict
from hgeisim.scenario.load import load_scenario

PATH = Path(__file__).parents[2] / "museum.toml"


class Bug(NamedTuple):
    """A bug: where it shows, the kernels with it and without, and the ids of its own findings."""

    id: str
    title: str
    scenario: str
    buggy: str
    fixed: str
    shows: tuple[str, ...]


class Shown(NamedTuple):
    """What a search has shown: the first finding of the bug's own, with its schedule made short,
    and after how many CPU seconds it was found; nothing where it was not.

    `steps_taken` and `steps` say how much of the entered functions was reached.
    """

    verdict: Verdict
    way: Counterexample | None
    found_s: float | None
    steps_taken: int
    steps: int


class Exhibit(NamedTuple):
    """A bug, and what was shown with it and without."""

    bug: Bug
    buggy: Shown
    fixed: Shown

    @property
    def is_as_it_should(self) -> bool:
        """Whether it is found, and gone in the kernel with its fix."""
        return self.buggy.way is not None and self.fixed.way is None


def bugs() -> Iterator[Bug]:
    """All of them, in the order of the file."""
    for each in tomllib.loads(PATH.read_text(encoding="utf-8"))["bug"]:
        yield Bug(**{**each, "shows": tuple(each["shows"])})


def exhibit(bug: Bug, states_max: int) -> Exhibit:
    """Search the kernel with a bug until it shows, and the one without to the end."""
    return Exhibit(
        bug, _shown(bug, bug.buggy, states_max, True), _shown(bug, bug.fixed, states_max)
    )


def _shown(bug: Bug, variant: str, states_max: int, first: bool = False) -> Shown:
    began_s, found_s = process_time(), list[float]()

    def is_it(finding_id: str) -> bool:
        if finding_id in bug.shows:
            found_s.append(process_time() - began_s)
        return first and finding_id in bug.shows

    scenario = load_scenario(bug.scenario, {"variant": variant})
    space = space_of(scenario)
    verdict = portfolio(space, states_max, enough=is_it)
    if any(map(is_data_race, bug.shows)) and verdict.stopped is None:
        _look_for_races(space, verdict, states_max)
    if verdict.stopped is not None:
        raise verdict.stopped
    own = [each for i, each in verdict.counterexamples.items() if i in bug.shows]
    way = own[0] if own else None
    if way is not None and not is_data_race(way.finding.id):
        way = Counterexample(way.finding, shrink(space, way.schedule, way.finding.id))
    reach = Reach(scenario, space)
    missed = sum(map(len, reach.never_taken().values()))
    return Shown(verdict, way, found_s[0] if found_s else None, reach.steps - missed, reach.steps)


def _look_for_races(space: Space, verdict: Verdict, states_max: int) -> None:
    """Note data races as well, which a search comes to once it has seen all states."""
    looked, races = races_of(space, states_max)
    verdict.stopped = looked.stopped
    with verdict.kept():
        for race in races:
            verdict.note(race.finding, race.schedule)
