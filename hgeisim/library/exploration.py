"""An exploration, one thing after the other: search, compare, shorten, report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any, Unpack

from hgeisim.checks.finding import Cause, of_ids
from hgeisim.checks.known import accepted, new_findings
from hgeisim.drivers.explored.base import Base
from hgeisim.drivers.explored.baselines import recorded
from hgeisim.drivers.explored.counterexample.shrink import isolate, shrink_all
from hgeisim.drivers.explored.counterexample.token import decode
from hgeisim.drivers.explored.explored_scenario import is_of, space_of
from hgeisim.drivers.explored.guided_replay import continued
from hgeisim.drivers.explored.model.budget import Spent
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.patch_trial import AgainstBase
from hgeisim.drivers.explored.races.trial import WALKS_MAX, Races, look_for_races
from hgeisim.drivers.explored.reach import Reach
from hgeisim.drivers.explored.schedule_findings import explained, least_ways, of_the_base
from hgeisim.drivers.explored.strategies.context_bounding import fewest_switches, wish_for
from hgeisim.drivers.explored.strategies.lock_walks import WALKS, LockWalks, lock_walks
from hgeisim.drivers.explored.strategies.portfolio import FEW_STATES, SEARCHES
from hgeisim.drivers.explored.strategies.random_walk import random_walk
from hgeisim.drivers.explored.strategies.sampling import SAMPLERS
from hgeisim.drivers.explored.strategies.strategy import CannotStep
from hgeisim.drivers.explored.strategies.verdict import EXHAUSTED, Schedule, Verdict
from hgeisim.kernel.variants import own_files
from hgeisim.library.answer import Answer
from hgeisim.library.arguments import check_races, wrong
from hgeisim.library.findings import beginning, chosen, room, schedule_mail
from hgeisim.library.how_to_search import How, Options, budget_of, decoded, how_of
from hgeisim.library.progress import SILENT, Progress
from hgeisim.library.scenarios import Source, base_of, loaded
from hgeisim.report.exploration import add_races, document, text
from hgeisim.report.findings import in_order
from hgeisim.report.grid import Grid
from hgeisim.report.layout import count
from hgeisim.report.lock_order import add_lock_order
from hgeisim.report.reach import add_reach
from hgeisim.report.trial import add_trial
from hgeisim.scenario.canonical import on_variant
from hgeisim.scenario.schema import Scenario
from hgeisim.scenario.streams import Streams

AFTERWARDS = 0.15
"""How much of what a search may spend is given to what comes after it."""
OF_THE_BASE = 0.6
"""How much of its time is kept for searching the base and comparing, where there is one."""


class Exploration(Answer):
    """A scenario with the name that reports give it, and the findings in it.

    `against` compares them with the base, if there is one; else known.toml says which are new.
    `begun` is the schedule that comes before the search, if one does, `searched` the space that
    begins there.  `found` are the ids of the findings so far, `least` the ids whose schedules have
    the fewest switches that show them.
    """

    def __init__(self, name: str, scenario: Scenario, how: How, progress: Progress) -> None:
        self.name, self.scenario, self.how, self.progress = name, scenario, how, progress
        self.budget = budget_of(how)
        self.begun = self._begun()
        self.against = self._against_base()
        if self.against and self.against.base.recorded is None:
            self.budget.reserve(OF_THE_BASE)
        self.space = space_of(scenario, budget=self.budget)
        self.searched = self.space
        self.verdict = Verdict()
        self.found: dict[str, None] = {}
        self.least: set[str] = set()
        self.walks: LockWalks | None = None
        self.races: Races | None = None

    def _against_base(self) -> AgainstBase | None:
        """Compare where a base was asked for, or where the patch is a user's own."""
        how, variant = self.how, base_of("explore", self.scenario.kernel.variant, self.how.base)
        if variant is None:
            return None
        known = Base(on_variant(self.scenario, variant), how.states, self.budget)
        return AgainstBase(self.scenario, known, self.begun, how.sampler, how.strict)

    def search(self) -> None:
        """Search all interleavings, or draw some."""
        if self.begun:
            self.searched = self._continued(self.begun)
        if self.how.sampler:
            self.verdict = self._drawn()
        else:
            search = SEARCHES[self.how.strategy or "portfolio"]
            with self.progress.searching("exploring", self.found) as reached:
                self.verdict = search(
                    self.searched, self.how.states, progress=reached, enough=self._enough
                )
        self.verdict.begin_with(self.begun)
        self.space.system.k.entered |= self.searched.system.k.entered

    def _begun(self) -> Schedule:
        """The schedule that comes before the search, if a token says so."""
        word = self.how.after
        if word is None:
            return ()
        token = decoded(word, ("explore", "after"))
        if not is_of(token, self.scenario):
            allowed = "is not a schedule of this scenario, kernel and preemption as they are now"
            remedy = "take a token that `hgeisim explore` has printed for them"
            raise wrong(("explore", "after"), word[:36], allowed, remedy)
        return token.schedule

    def _continued(self, begun: Schedule) -> Space:
        """The space that begins where a schedule ends."""
        try:
            return continued(space_of(self.scenario, budget=self.budget), begun)
        except CannotStep as error:
            allowed = f"its schedule cannot be followed: {error}"
            word = str(self.how.after)[:36]
            raise wrong(("explore", "after"), word, allowed) from None

    def _drawn(self) -> Verdict:
        """Draw schedules."""
        stream = Streams(self.scenario.run.seed).stream("walk")
        sampler = SAMPLERS[str(self.how.sampler)](stream)
        return random_walk(self.searched, self.how.schedules, sampler, self._enough)

    def _enough(self, finding_id: str) -> bool:
        self.found[finding_id] = None
        if not self.how.first:
            return False
        if self.against:
            return self.against.is_new(finding_id)
        return bool(self._new(of_ids([finding_id])))

    def _new(self, found: Mapping[str, Cause]) -> list[str]:
        kernel = self.scenario.kernel
        return new_findings(found, kernel.variant, self.how.strict, kernel.realtime)

    def follow_up(self) -> None:
        """Compare or tell hazards apart, look at lock order, shorten schedules: each unless it was
        stopped before, or a budget is spent.

        The search is over: whatever stops this takes away nothing that was found.
        """
        verdict = self.verdict
        self.budget.extend(AFTERWARDS)
        with verdict.unharmed():
            if self.against:
                self._judge(self.against)
            elif verdict.stopped is None and not self.how.first:
                if not (self.how.sampler or self.how.after):
                    isolate(self.space, verdict, self._states())
                self._count_accepted()
            if verdict.stopped is None:
                self._look_at_locks()
            if self._has_races_looked_for() and verdict.stopped is None:
                self._look_for_races()
            if self.walks is not None and verdict.stopped is None:
                self.walks.try_alone(self.space)
                shrink_all(self.space, verdict)
        self._pass_over_parties()

    def _states(self) -> int:
        """How many states a search may reach that only betters what was found: not many where the
        first one did not come to its end."""
        states_max = self.how.states
        return states_max if self.verdict.coverage == EXHAUSTED else min(states_max, FEW_STATES)

    def _count_accepted(self) -> None:
        """Find for what may be accepted the schedules with the fewest switches, which show its
        cause; of a shipped base in a shipped scenario they were found before, in a search."""
        found = self.verdict.counterexamples
        ids = self._acceptable(found)
        if self.how.sampler or self.how.after:
            ids &= {*self._new(self.verdict.causes)}
        elif recorded(self.scenario) is not None:
            return
        if ids:
            ways = fewest_switches(self.space, self._states(), wish_for(ids)).ways
            self.least = ids & ways.keys()
            found |= {i: ways[i] for i in sorted(self.least)}

    def _pass_over_parties(self) -> None:
        """Parties tell a shipped kernel's faults apart in the schedules with the fewest switches;
        in others there may be more of them."""
        found, whole = self.verdict.counterexamples, self.verdict.coverage == EXHAUSTED
        if (whole and not self.how.after) or self.against:
            return
        with self.verdict.unharmed():
            unsure = self._unsure()
            least = {} if self.how.after else least_ways(self.space, unsure)
            self.least |= least.keys()
            found |= least | {i: explained(self.space, found[i]) for i in unsure if i not in least}
            others = {*self._new(self.verdict.causes)} & found.keys() - self.least
            ways = {i: found[i].schedule for i in sorted(others)}
            for i in sorted(of_the_base(self.space, self.scenario, ways)):
                cause = found[i].finding.cause.of_some_schedule
                found[i] = replace(found[i], finding=replace(found[i].finding, cause=cause))

    def _unsure(self) -> list[str]:
        """The findings that may be accepted, and whose cause is another one so far, or not read."""
        found = self.verdict.counterexamples
        new, ids = self._new(self.verdict.causes), self._acceptable(found) - self.least
        return [i for i in sorted(ids) if i in new or found[i].finding.cause.parties is None]

    def _acceptable(self, ids: Iterable[str]) -> set[str]:
        """Those that may be accepted of this kernel, if their cause is the right one."""
        kernel = self.scenario.kernel
        return {i for i in ids if accepted(i, kernel.variant, kernel.realtime)}

    @property
    def stopped(self) -> BaseException | None:
        """The exception that ended it early, unless its budget or the memory was spent."""
        stopped = self.verdict.stopped
        return None if isinstance(stopped, (Spent, MemoryError)) else stopped

    def _judge(self, against: AgainstBase) -> None:
        with self.progress.searching(f"comparing with {against.base.variant}") as reached:
            against.base.progress = reached
            against.judge(self.space, self.verdict)

    def _look_at_locks(self) -> None:
        """Lock order along the counterexamples and some random schedules."""
        known = [each.schedule for each in self.verdict.counterexamples.values()]
        below = Streams(self.scenario.run.seed).stream("lock-order").below
        self.walks = lock_walks(self.space, known, WALKS, below)
        self.verdict.stopped = self.walks.stopped
        if self.against:
            self.against.judge_locks(self.walks, self.verdict)

    def _has_races_looked_for(self) -> bool:
        """A user's own patch is looked at in any case, all after the start."""
        asked = self.how.races or bool(own_files(self.scenario.kernel.variant))
        return asked and not self.how.after

    def _look_for_races(self) -> None:
        """Data races in the states of a search, and along random schedules."""
        below = Streams(self.scenario.run.seed).stream("data-race").below
        name, drawn = self.how.sampler, None
        if name:
            sampler = SAMPLERS[name](Streams(self.scenario.run.seed).stream("data-race walk"))
            drawn = sampler.schedules(min(self.how.schedules, WALKS_MAX))
        self.races = look_for_races(self.space, 0 if name else self._states(), below, drawn)
        kernel = self.scenario.kernel
        self.races.put_first(
            lambda race: (
                not accepted(race.finding.id, kernel.variant, kernel.realtime, race.finding.cause)
            )
        )
        if self.against and self.races.stopped is None:
            self.against.judge_races(self.races)
        self.verdict.stopped = self.races.stopped

    @cached_property
    def document(self) -> dict[str, Any]:
        """The JSON document of `hgeisim explore`."""
        found = self.verdict.causes | (self.walks.causes if self.walks else {})
        races = self.races.found if self.races else {}
        found |= {i: race.finding.cause for i, race in races.items()}
        against = self.against
        new = against.counting(against.standings()) if against else self._new(found)
        result = document(self.name, self.scenario, self.verdict, new)
        result["after"] = len(self.begun)
        if self.walks is not None:
            add_lock_order(result, self.scenario, self.walks, new)
        if self.races is not None:
            add_races(result, self.scenario, self.races, new)
        if against:
            add_trial(result, against)
        add_reach(result, Reach(self.scenario, self.searched), against.base if against else None)
        result["findings"] = in_order(result["findings"])
        return result

    @property
    def remarks(self) -> Iterator[str]:
        """Lines that differ from time to time: how long it took to search the base."""
        for base in self.against.searched() if self.against else ():
            yield f"{base.variant} was searched as well, which took {base.seconds:.1f} s"

    @property
    def findings(self) -> list[dict[str, Any]]:
        """The findings, the worst first."""
        found: list[dict[str, Any]] = self.document["findings"]
        return found

    def mail(self, finding: str | None = None, *, full: bool = False) -> str:
        """One finding as text for a mailing list: the worst new one, or that with an id.

        In 40 lines, or `full` with every step.  InputError: the finding is not there.
        """
        one, first = chosen(self.findings, finding), beginning(self.document)
        lines, token = room(full=full, before=first), decode(one["token"])
        return "\n".join([*first, *schedule_mail(self.space, self.scenario, token, one, lines)])

    def __str__(self) -> str:
        """The text of `hgeisim explore`."""
        return "\n".join(text(self.document))

    def _grid(self) -> Grid:
        heads = ("finding", "new", "switches", "")
        rows = [(f["id"], new_mark(f), f.get("switches", ""), f["text"]) for f in self.findings]
        return Grid(heads, rows)

    @property
    def _headline(self) -> str:
        found, new = self.findings, sum(bool(each["new"]) for each in self.findings)
        kernel, verdict = self.scenario.kernel.variant, self.verdict
        words = dict.fromkeys((self.document["verdict"], verdict.coverage))
        covered = f"{', '.join(words)}, {verdict.states:,} states"
        return f"{self.name} on {kernel}: {covered}, {count(len(found), 'finding')}, {new} new"


def new_mark(finding: dict[str, Any]) -> str:
    """Whether a finding is new, as a word in a table."""
    return "new" if finding["new"] else ""


def explore(
    scenario: Source | Scenario, *, progress: Progress = SILENT, **options: Unpack[Options]
) -> Exploration:
    """Search the interleavings of the tasks of a scenario, and compare what is found.

    Options are those of `hgeisim explore`: `variant`, `preemption` and `seed` change the scenario;
    `base`, `states`, `strategy`, `walk`, `steps`, `seconds`, `memory`, `after`, `races`, `first`
    and `strict` say how to search.  A patch of your own is compared with the kernel without it.
    """
    how, overrides = how_of("explore", options)
    name, made = loaded("explore", scenario, overrides)
    check_races("explore", made.kernel.variant, how.races)
    exploration = Exploration(name, made, how, progress)
    exploration.search()
    exploration.follow_up()
    return exploration
