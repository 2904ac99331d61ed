"""A patch trial: the search of a variant, compared with its base in the same scenario.

`Trial` compares one search with one of the base; `AgainstBase` is the whole exploration of a patch:
the scenario, its clean twin, lock order and data races.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from hgeisim.checks.catalogue import is_note
from hgeisim.checks.finding import COUNTING, INTRODUCED, PRE_EXISTING, UNKNOWN, Cause, Standing
from hgeisim.drivers.explored.base import FEW_SWITCHES, NOTHING_KNOWN, Base
from hgeisim.drivers.explored.comparison import Shown, compared, counting, shown
from hgeisim.drivers.explored.counterexample.shrink import shrink_all
from hgeisim.drivers.explored.explored_scenario import space_of
from hgeisim.drivers.explored.guided_replay import continued, guided, replayed, shown_when_guided
from hgeisim.drivers.explored.lock_trial import LockTrial, lock_trial
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.races.trial import Races, race_standings
from hgeisim.drivers.explored.strategies.context_bounding import (
    fewest_switches,
    is_livelock,
    wish_for,
)
from hgeisim.drivers.explored.strategies.levels import FewestSwitches
from hgeisim.drivers.explored.strategies.lock_walks import LockWalks
from hgeisim.drivers.explored.strategies.portfolio import portfolio
from hgeisim.drivers.explored.strategies.random_walk import random_walk
from hgeisim.drivers.explored.strategies.sampling import SAMPLERS, Sampler
from hgeisim.drivers.explored.strategies.verdict import BOUNDED, EXHAUSTED, Schedule, Verdict
from hgeisim.kernel.variants import own_files, patched_functions
from hgeisim.scenario.canonical import clean_twin, on_variant
from hgeisim.scenario.schema import Scenario
from hgeisim.scenario.streams import Streams


@dataclass
class Trial:
    """A `verdict` on a variant in a scenario, and the knowledge about its `base` there.

    `own` has the findings of the variant, by the fewest switches.  If both kernels are only
    sampled, `sample` has the ids that the base has shown; if both searches were cut short, `also`
    has those that the base shows in a sample.  `entered` are the functions that the clean twin has
    entered.
    """

    scenario: Scenario
    verdict: Verdict
    base: Base
    own: Shown = NOTHING_KNOWN
    sample: frozenset[str] | None = None
    also: frozenset[str] = frozenset()
    entered: frozenset[str] = frozenset()

    def standings(self) -> dict[str, Standing]:
        """The standing of each finding, as far as it is known now."""
        found = self.verdict.counterexamples
        if self.sample is not None:
            words = {i: PRE_EXISTING if i in self.sample else INTRODUCED for i in found}
            return {i: Standing(word) for i, word in words.items()}
        own = self.own
        if own is NOTHING_KNOWN:
            own = shown(FewestSwitches(), found, self.verdict.coverage == EXHAUSTED)
        standings = compared(own, self.base.known())
        also = (i for i in self.also if i in standings and standings[i].word == UNKNOWN)
        return standings | {i: standings[i]._replace(word=PRE_EXISTING) for i in also}

    def count(self, space: Space, states_max: int) -> None:
        """Find the fewest switches of both kernels, and keep the schedules that need them."""
        found = self.verdict.counterexamples
        wish = wish_for(found)
        fewest = fewest_switches(space, states_max, wish)
        found |= fewest.ways
        self.own = shown(fewest, found, self.verdict.coverage == EXHAUSTED)
        self.base.shows(wish.loops)
        if any(map(is_livelock, found)):
            self.base.look_for_livelocks()

    def sample_base(self, space: Space, states_max: int) -> None:
        """If both searches were cut short, give the base what the variant had besides the search by
        switches: guide it along the variant's schedules, then search it as the variant was.

        The findings of that are compared as a set, as in any sample.
        """
        found = self.verdict.counterexamples
        words = compared(self.own, self.base.known()).items()
        unknown = {i for i, each in words if each.word == UNKNOWN}
        if unknown and self.verdict.coverage == BOUNDED:
            given = [found[i].schedule for i in sorted(unknown & found.keys())]
            self.also = shown_when_guided(space, given, self.base.space)
            if missing := unknown - self.also:
                self.also |= self.base.shows_in_a_sample(missing, states_max)

    def search_base_after(self, space: Space, begun: Schedule) -> None:
        """Guide the base to where the search of the variant began, and search it from there; the
        findings on the way and after it are compared as a set."""
        way = guided(space, begun, self.base.space)
        ids = replayed(self.base.space, [way])
        there = continued(space_of(self.base.scenario, budget=self.base.budget), way)
        found = portfolio(there, self.base.states_max)
        self.sample = ids | found.counterexamples.keys()
        if found.stopped is not None:
            raise found.stopped

    def take_sample(self, space: Space, number: int, sampler: Sampler) -> None:
        """Guide the base along the schedules of the variant, make as many random ones, and look for
        the missing findings in schedules with few switches."""
        found, base = self.verdict.counterexamples, self.base
        ids = shown_when_guided(space, [each.schedule for each in found.values()], base.space)
        walked = random_walk(base.space, number, sampler)
        self.sample = ids | walked.counterexamples.keys()
        if walked.stopped is not None:
            raise walked.stopped
        if missing := found.keys() - self.sample:
            self.sample |= base.in_few_states(missing).ways.keys()


def clean_trial(twin: Scenario, base: Base) -> Trial:
    """Search the clean twin of a scenario, and compare it with its base."""
    space = space_of(twin, budget=base.budget)
    trial = Trial(twin, portfolio(space, base.states_max), base)
    with trial.verdict.unharmed():
        if trial.verdict.stopped is None:
            trial.count(space, base.states_max)
            trial.sample_base(space, base.states_max)
            shrink_all(space, trial.verdict)
    trial.entered = frozenset(space.system.k.entered)
    return trial


@dataclass
class AgainstBase:
    """A variant in a `scenario` against its `base` there; `twin` is the trial in the clean twin.

    The search may begin `after` a schedule; `sampler` names the way in which schedules are drawn,
    None in a search.  With `strict`, findings of the base count as well.  `never_entered` are
    functions of the patch, `not_in_twin` those that only the clean twin has not entered.
    """

    scenario: Scenario
    base: Base
    after: Schedule = ()
    sampler: str | None = None
    strict: bool = False
    trial: Trial | None = None
    twin: Trial | None = None
    locks: LockTrial = field(default_factory=LockTrial)
    races: dict[str, Standing] = field(default_factory=dict)
    lock_causes: dict[str, Cause] = field(default_factory=dict)
    never_entered: list[str] = field(default_factory=list)
    not_in_twin: list[str] = field(default_factory=list)

    @property
    def of_own_file(self) -> bool:
        """Whether the variant contains a user's own patch."""
        return bool(own_files(self.scenario.kernel.variant))

    def is_new(self, finding_id: str) -> bool:
        """Whether a search may end with a finding, because the base does not show it.

        The base is searched for that; but not for random schedules, as it may take too long: there
        a finding that is not recorded counts as new unless it is accepted.
        """
        if self.sampler:
            seen = finding_id in self.base.known().switches or self.base.accepts(finding_id)
        else:
            seen = finding_id in self.base.shows(loops=True).switches
        return (self.strict or not seen) and not is_note(finding_id)

    def judge(self, space: Space, verdict: Verdict) -> None:
        """Compare the findings of a search; if it was stopped, only with what is known already."""
        patched = patched_functions(self.scenario.kernel.variant, self.base.variant)
        self.never_entered = [name for name in patched if name not in space.system.k.entered]
        self.trial, base = Trial(self.scenario, verdict, self.base), self.base
        if verdict.stopped is not None:
            return
        if self.after or self.sampler:
            self._judge_sample(self.trial, space, verdict)
            return
        states_max = base.states_max
        if verdict.coverage != EXHAUSTED:
            base.states_max = min(states_max, FEW_SWITCHES)
        self.trial.count(space, base.states_max)
        self.trial.sample_base(space, states_max)
        twin = clean_twin(self.scenario)
        if twin is not None:
            twin_base = Base(on_variant(twin, base.variant), base.states_max, base.budget)
            self.twin = clean_trial(twin, twin_base)
            reached = (name for name in patched if name not in self.never_entered)
            self.not_in_twin = [name for name in reached if name not in self.twin.entered]
            verdict.stopped = self.twin.verdict.stopped

    def _judge_sample(self, trial: Trial, space: Space, verdict: Verdict) -> None:
        """Compare findings as a set: with those recorded for the base, or with a sample of it."""
        if self.base.recorded is not None:
            trial.sample = frozenset(self.base.recorded.switches)
        elif self.after:
            trial.search_base_after(space, self.after)
        elif self.sampler:
            stream = Streams(self.scenario.run.seed).stream("walk")
            trial.take_sample(space, verdict.schedules, SAMPLERS[self.sampler](stream))

    def judge_locks(self, walks: LockWalks, verdict: Verdict) -> None:
        """Compare the lock order along a sample of schedules."""
        self.lock_causes = walks.causes
        self.locks = LockTrial({i: Standing(UNKNOWN) for i in walks.findings})
        if verdict.stopped is not None:
            return
        given = [each.schedule for each in verdict.counterexamples.values()]
        below = Streams(self.scenario.run.seed).stream("lock-order").below
        self.locks = lock_trial(walks, self.base, given, below)
        verdict.stopped = self.locks.stopped

    def judge_races(self, races: Races) -> None:
        """Compare data races with those of the base; `races` is stopped where that was."""
        below = Streams(self.scenario.run.seed).stream("data-race").below
        states_max = races.states and self.base.states_max
        found = [race.finding for race in races.all]
        standings, stopped = race_standings(found, self.base, states_max, below)
        races.put_first(lambda race: standings[race.key].word in COUNTING)
        self.races = {i: standings[race.key] for i, race in races.found.items()}
        races.stopped = races.stopped or stopped

    def standings(self) -> dict[str, Standing]:
        """The standing of each finding in the scenario, lock order and data races included."""
        searched = self.trial.standings() if self.trial is not None else {}
        return self.locks.standings | self.races | searched

    def causes(self) -> dict[str, Cause]:
        """The cause of each finding in the scenario."""
        return self.lock_causes | (self.trial.verdict.causes if self.trial is not None else {})

    def counting(self, standings: dict[str, Standing]) -> list[str]:
        """The ids of the findings that speak against the patch."""
        return counting(standings, (*COUNTING, PRE_EXISTING) if self.strict else COUNTING)

    def searched(self) -> Iterator[Base]:
        """The bases that had to be searched."""
        bases = (self.base, *([self.twin.base] if self.twin is not None else []))
        return (base for base in bases if base.states)
