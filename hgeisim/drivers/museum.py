"""The museum: bugs of this code; each has to be found, but not in the kernel with its fix.

Both kernels are examined in the same scenario, in the same way and to the same extent: searched if
the scenario has tasks, else run with some seeds.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from math import inf
from pathlib import Path
from time import process_time
from typing import Any, NamedTuple

from hgeisim.checks.catalogue import is_data_race, is_lock_order
from hgeisim.drivers.explored.counterexample.shrink import shrink
from hgeisim.drivers.explored.explored_scenario import space_of
from hgeisim.drivers.explored.model.budget import Budget
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.races.trial import look_for_races
from hgeisim.drivers.explored.reach import Reach
from hgeisim.drivers.explored.strategies.lock_walks import WALKS, lock_walks
from hgeisim.drivers.explored.strategies.portfolio import SEARCHES
from hgeisim.drivers.explored.strategies.random_walk import random_walk
from hgeisim.drivers.explored.strategies.sampling import SAMPLERS
from hgeisim.drivers.explored.strategies.verdict import (
    BOUNDED,
    SAMPLED,
    Counterexample,
    Schedule,
    Verdict,
)
from hgeisim.drivers.timed.simulation import simulate
from hgeisim.scenario.canonical import with_seed
from hgeisim.scenario.load import load_scenario
from hgeisim.scenario.schema import Scenario
from hgeisim.scenario.streams import Streams

PATH = Path(__file__).parents[1] / "museum.toml"
SEEDS = 5
"""Seeds with which a scenario without tasks runs."""


class Bug(NamedTuple):
    """A bug: its scenario, the kernels with and without it, the ids of its own findings there, and
    those of its own in the scenario of all bugs `together`."""

    id: str
    title: str
    scenario: str
    buggy: str
    fixed: str
    shows: tuple[str, ...]
    together: tuple[str, ...] = ()

    def in_scenario(self, name: str) -> Bug:
        """The same bug in the scenario of all bugs."""
        return self._replace(scenario=name, shows=self.together)


class Found(NamedTuple):
    """The first of a bug's own findings: the CPU seconds until it was found, and its schedule, or
    the seed and the time of a run."""

    id: str
    seconds: float
    schedule: Schedule = ()
    seed: int | None = None
    time_ns: int = 0


class Shown(NamedTuple):
    """The result for a kernel: the bug's finding, and how far it was looked for.

    `steps_taken` of all `steps` of the entered functions were reached by a search.
    """

    found: Found | None
    coverage: str
    bound: str
    states: int = 0
    schedules: int = 0
    steps_taken: int = 0
    steps: int = 0


class How(NamedTuple):
    """How to search a scenario: the strategy, and the states that it may reach, the schedules that
    it may draw, and the CPU seconds that it may take."""

    strategy: str = "portfolio"
    states: int = 1_000_000
    schedules: int = 1_000_000_000
    seconds: float = inf


TOGETHER = (How("partial-order", 300_000, 1_500), How("random", 300_000, 1_500))
"""The scenario of all bugs has more states than a search can reach, so its schedules are drawn; the
second way is for bugs that the first does not show."""


class Exhibit(NamedTuple):
    """A bug, the results for the kernels with and without it, and the strategy of both searches."""

    bug: Bug
    buggy: Shown
    fixed: Shown
    strategy: str

    @property
    def is_as_it_should(self) -> bool:
        """Whether the bug is found, and not in the kernel with its fix."""
        return self.buggy.found is not None and self.fixed.found is None


def bugs() -> Iterator[Bug]:
    """All bugs, in the order of the file."""
    for each in _file()["bug"]:
        lists = {key: tuple(value) for key, value in each.items() if isinstance(value, list)}
        yield Bug(**{**each, **lists})


def together() -> str:
    """The scenario that shows many bugs."""
    return str(_file()["together"])


def exhibit(bug: Bug, how: How, *others: How) -> Exhibit:
    """Examine the kernel with a bug until it shows, and the one without it to the end; in other
    ways, too, as long as it is not found."""
    with_it, without = (load_scenario(bug.scenario, {"variant": v}) for v in (bug.buggy, bug.fixed))
    if not with_it.task:
        return Exhibit(bug, _run(bug, with_it), _run(bug, without), "run")
    buggy = BugSearch(bug, with_it, how, first=True).shown()
    if buggy.found is None and others:
        return exhibit(bug, *others)
    return Exhibit(bug, buggy, BugSearch(bug, without, how).shown(), how.strategy)


def is_searched(bug: Bug) -> bool:
    """Whether a strategy can show a bug, which is not one of lock order or a data race."""
    others = any(is_data_race(i) or is_lock_order(i) for i in bug.shows)
    return bool(load_scenario(bug.scenario).task) and not others


def tried(bug: Bug, strategy: str, seconds: float) -> Shown:
    """The result of a strategy for a bug, within some CPU seconds."""
    scenario = load_scenario(bug.scenario, {"variant": bug.buggy})
    return BugSearch(bug, scenario, How(strategy, seconds=seconds), first=True).shown()


class BugSearch:
    """A search for a bug's own findings, until the `first` of them or to its end."""

    def __init__(self, bug: Bug, scenario: Scenario, how: How, *, first: bool = False) -> None:
        self.bug, self.scenario, self.how, self.first = bug, scenario, how, first
        self.began_s, self.found_s = process_time(), list[float]()
        self.space = space_of(scenario, budget=Budget(seconds=self.began_s + how.seconds))
        self.verdict = Verdict()

    def shown(self) -> Shown:
        """Search; check lock order or look for data races as well if the bug is one of these."""
        self.verdict = self._searched()
        with self.verdict.kept():
            self._look_further()
        if self.verdict.stopped is not None:
            raise self.verdict.stopped
        verdict, reach = self.verdict, Reach(self.scenario, self.space)
        missed = sum(map(len, reach.never_taken().values()))
        reached = reach.steps - missed, reach.steps
        counts = verdict.states, verdict.schedules, *reached
        own = [each for i, each in verdict.counterexamples.items() if i in self.bug.shows]
        found = None
        if own:
            schedule = _short(self.space, own[0])
            found = Found(own[0].finding.id, self.found_s[0], schedule)
        return Shown(found, verdict.coverage, verdict.bound, *counts)

    def _searched(self) -> Verdict:
        how, stream = self.how, Streams(self.scenario.run.seed).stream("walk")
        if how.strategy in SAMPLERS:
            sampler = SAMPLERS[how.strategy](stream)
            return random_walk(self.space, how.schedules, sampler, self._is_it)
        search = SEARCHES[how.strategy]
        return search(self.space, how.states, progress=None, enough=self._is_it)

    def _is_it(self, finding_id: str) -> bool:
        if finding_id in self.bug.shows:
            self.found_s.append(process_time() - self.began_s)
        return self.first and finding_id in self.bug.shows

    def _look_further(self) -> None:
        space, verdict, streams = self.space, self.verdict, Streams(self.scenario.run.seed)
        if any(map(is_lock_order, self.bug.shows)):
            walks = lock_walks(space, (), WALKS, streams.stream("lock-order").below)
            verdict.stopped = verdict.stopped or walks.stopped
            for finding, schedule in walks.findings.values():
                verdict.note(finding, schedule)
        if any(map(is_data_race, self.bug.shows)):
            looked = look_for_races(space, self.how.states, streams.stream("data-race").below)
            verdict.stopped = verdict.stopped or looked.stopped
            for race in looked.found.values():
                verdict.note(race.finding, race.schedule)


def _short(space: Space, way: Counterexample) -> Schedule:
    """The schedule of a counterexample, made shorter if that is possible."""
    finding_id = way.finding.id
    if is_data_race(finding_id) or is_lock_order(finding_id):
        return way.schedule
    return shrink(space, way.schedule, finding_id)


def _run(bug: Bug, scenario: Scenario) -> Shown:
    """Run a scenario with some seeds until the bug shows."""
    began_s = process_time()
    for number in range(SEEDS):
        seed = scenario.run.seed + number
        simulation = simulate(with_seed(scenario, seed), record="all")
        simulation.run(scenario.run.until)
        for finding_id, (time_ns, _) in simulation.findings.items():
            if finding_id in bug.shows:
                found = Found(finding_id, process_time() - began_s, (), seed, time_ns)
                return Shown(found, BOUNDED, "the first finding")
    return Shown(None, SAMPLED, f"{SEEDS} seeds")


def _file() -> dict[str, Any]:
    return tomllib.loads(PATH.read_text(encoding="utf-8"))
