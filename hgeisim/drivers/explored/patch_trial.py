"""A patch on trial: the search of a variant, compared with its base in the same scenario.

`Trial` compares one search with one of the base; `AgainstBase` is a whole exploration of a patch:
the scenario, its clean twin, lock order and data races.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from hgeisim.checks.catalogue import is_note
from hgeisim.checks.finding import COUNTING, INTRODUCED, PRE_EXISTING, UNKNOWN, Cause, Standing
from hgeisim.drivers.explored.base import NOTHING_KNOWN, Base
from hgeisim.drivers.explored.comparison import Shown, compared, shown
from hgeisim.drivers.explored.counterexample.shrink import shrink_all
from hgeisim.drivers.explored.explored_scenario import space_of
from hgeisim.drivers.explored.guided_replay import continued, led, replayed, shown_when_led
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

FEW_SWITCHES = 100_000
"""States of the base in which a finding is looked for that its sample has not shown."""


@dataclass
class Trial:
    """A `verdict` on a variant in a scenario, and what is known of its `base` there.

    `own` is what the variant shows, by the fewest switches.  Where both are only sampled, `sample`
    has the ids that the base has shown; `also` those that it shows in a sample where both searches
    were cut short.  `entered` are the functions that the clean twin has entered.
    """

    scenario: Scenario
    verdict: Verdict
    base: Base
    own: Shown = NOTHING_KNOWN
    sample: frozenset[str] | None = None
    also: frozenset[str] = frozenset()
    entered: frozenset[str] = frozenset()

    def standings(self) -> dict[str, Standing]:
        """How each finding compares, as far as is known by now."""
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
        """Find the fewest switches of both kernels; the schedules are then those that need them."""
        found = self.verdict.counterexamples
        wish = wish_for(found)
        fewest = fewest_switches(space, states_max, wish)
        found |= fewest.ways
        self.own = shown(fewest, found, self.verdict.coverage == EXHAUSTED)
        self.base.shows(wish.loops)
        if any(map(is_livelock, found)):
            self.base.look_for_livelocks()

    def sample_base(self, space: Space, states_max: int) -> None:
        """Where both searches were cut short, give the base what the variant had beside the search
        by switches: its schedules, as far as the base can follow them, then a search like its own.

        What the base shows there is compared as a set, as all is that was only sampled.
        """
        found = self.verdict.counterexamples
        words = compared(self.own, self.base.known()).items()
        unknown = {i for i, each in words if each.word == UNKNOWN}
        if unknown and self.verdict.coverage == BOUNDED:
            given = [found[i].schedule for i in sorted(unknown & found.keys())]
            self.also = shown_when_led(space, given, self.base.space)
            if missing := unknown - self.also:
                self.also |= self.base.shows_in_a_sample(missing, states_max)

    def search_base_after(self, space: Space, begun: Schedule) -> None:
        """Lead the base to where the search of the variant began, and search it from there: what
        it shows on the way and after it is compared as a set."""
        if self.base.recorded is not None:
            self.sample = frozenset(self.base.recorded.switches)
            return
        way = led(space, begun, self.base.space)
        ids = replayed(self.base.space, [way])
        there = continued(space_of(self.base.scenario, budget=self.base.budget), way)
        found = portfolio(there, self.base.states_max)
        self.sample = ids | found.counterexamples.keys()
        if found.stopped is not None:
            raise found.stopped

    def take_sample(self, space: Space, number: int, sampler: Sampler) -> None:
        """Lead the base along the schedules of the variant, then along as many random ones; what it
        has not shown by then, it may show in few switches."""
        if self.base.recorded is not None:
            self.sample = frozenset(self.base.recorded.switches)
            return
        found, base = self.verdict.counterexamples, self.base.space
        ids = shown_when_led(space, [each.schedule for each in found.values()], base)
        walked = random_walk(base, number, sampler)
        self.sample = ids | walked.counterexamples.keys()
        if walked.stopped is not None:
            raise walked.stopped
        if missing := found.keys() - self.sample:
            self.sample |= fewest_switches(base, FEW_SWITCHES, wish_for(missing)).ways.keys()


def clean_trial(twin: Scenario, base: Base) -> Trial:
    """The trial in the clean twin of a scenario, from the beginning."""
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
    """A variant in a `scenario`, and its `base` there; the `twin` is None where there is none.

    The search begins where a schedule ends, if it begins `after` one; `sampler` says how schedules
    are drawn, None in a search.  With `strict`, what the base shows
    counts as well.  `never_entered` are functions of the patch, `not_in_twin` those that only the
    clean twin has not entered.
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
        """Whether a user's own patch is in the variant."""
        return bool(own_files(self.scenario.kernel.variant))

    def is_new(self, finding_id: str) -> bool:
        """Whether a search may end with a finding: the base does not show it, and is searched for
        that; of random schedules, where that may take too long, unless it is accepted."""
        if self.sampler:
            seen = finding_id in self.base.known().switches or self.base.accepts(finding_id)
        else:
            seen = finding_id in self.base.shows(loops=True).switches
        return (self.strict or not seen) and not is_note(finding_id)

    def judge(self, space: Space, verdict: Verdict) -> None:
        """Compare what a search has found; one that was stopped only with what is known."""
        patched = patched_functions(self.scenario.kernel.variant, self.base.variant)
        self.never_entered = [name for name in patched if name not in space.system.k.entered]
        self.trial = Trial(self.scenario, verdict, self.base)
        if verdict.stopped is not None:
            return
        if self.after:
            self.trial.search_base_after(space, self.after)
            return
        if self.sampler:
            stream = Streams(self.scenario.run.seed).stream("walk")
            self.trial.take_sample(space, verdict.schedules, SAMPLERS[self.sampler](stream))
            return
        base, states_max = self.base, self.base.states_max
        if verdict.coverage != EXHAUSTED:
            base.states_max = min(states_max, FEW_SWITCHES)
        self.trial.count(space, base.states_max)
        self.trial.sample_base(space, states_max)
        self._judge_twin(verdict, [name for name in patched if name not in self.never_entered])

    def _judge_twin(self, verdict: Verdict, reached: list[str]) -> None:
        twin = clean_twin(self.scenario)
        if twin is not None:
            known = self.base
            base = Base(on_variant(twin, known.variant), known.states_max, known.budget)
            self.twin = clean_trial(twin, base)
            self.not_in_twin = [name for name in reached if name not in self.twin.entered]
            verdict.stopped = self.twin.verdict.stopped

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
        self.races, stopped = race_standings(races.found, self.base, states_max, below)
        races.stopped = races.stopped or stopped

    def standings(self) -> dict[str, Standing]:
        """How each finding in the scenario compares, lock order and data races among them."""
        searched = self.trial.standings() if self.trial is not None else {}
        return self.locks.standings | self.races | searched

    def causes(self) -> dict[str, Cause]:
        """The cause of each finding in the scenario."""
        return self.lock_causes | (self.trial.verdict.causes if self.trial is not None else {})

    def counting(self, standings: dict[str, Standing]) -> list[str]:
        """The ids of those that speak against the patch."""
        words = (*COUNTING, PRE_EXISTING) if self.strict else COUNTING
        return [i for i, each in standings.items() if each.word in words and not is_note(i)]

    def searched(self) -> Iterator[Base]:
        """The bases that had to be searched."""
        bases = (self.base, self.twin.base if self.twin is not None else None)
        return (base for base in bases if base is not None and base.states)
