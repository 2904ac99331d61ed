"""A patch on trial: the search of a variant, compared with its base in the same scenario."""

from __future__ import annotations

from dataclasses import dataclass

from hgeisim.checks.standing import INTRODUCED, PRE_EXISTING, UNKNOWN, Standing
from hgeisim.drivers.explored.base import NOTHING_KNOWN, Base
from hgeisim.drivers.explored.comparison import Shown, compared, shown
from hgeisim.drivers.explored.continuation import continued
from hgeisim.drivers.explored.counterexample.shrink import shrink_all
from hgeisim.drivers.explored.explorer import space_of
from hgeisim.drivers.explored.led import led, replayed, shown_when_led
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.strategies.fewest_switches import (
    fewest_switches,
    is_livelock,
    wish_for,
)
from hgeisim.drivers.explored.strategies.levels import FewestSwitches
from hgeisim.drivers.explored.strategies.portfolio import portfolio
from hgeisim.drivers.explored.strategies.sampling import Sampler
from hgeisim.drivers.explored.strategies.verdict import BOUNDED, EXHAUSTED, Schedule, Verdict
from hgeisim.drivers.explored.strategies.walk import random_walk
from hgeisim.scenario.schema import Scenario

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
