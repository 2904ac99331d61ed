"""An exploration that is compared with the base: the scenario, its clean twin, lock order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from hgeisim.checks.catalogue import is_note
from hgeisim.checks.cause import Cause
from hgeisim.checks.standing import COUNTING, PRE_EXISTING, UNKNOWN, Standing
from hgeisim.drivers.explored.base import Base
from hgeisim.drivers.explored.lock_trial import LockTrial, lock_trial
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.races.trial import Races, race_standings
from hgeisim.drivers.explored.strategies.lock_walks import LockWalks
from hgeisim.drivers.explored.strategies.sampling import SAMPLERS
from hgeisim.drivers.explored.strategies.verdict import EXHAUSTED, Schedule, Verdict
from hgeisim.drivers.explored.trial import FEW_SWITCHES, Trial, clean_trial
from hgeisim.kernel.variants import own_files, patched_functions
from hgeisim.scenario.clean_twin import clean_twin
from hgeisim.scenario.schema import Scenario
from hgeisim.scenario.streams import Streams
from hgeisim.scenario.variation import on_variant


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
