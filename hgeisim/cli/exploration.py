"""What `hgeisim explore` does, one thing after the other: search, compare, shorten, report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hgeisim.checks.cause import Cause, of_ids
from hgeisim.checks.known import accepted, new_findings
from hgeisim.cli.progress import searched_states
from hgeisim.drivers.explored.against_base import AgainstBase
from hgeisim.drivers.explored.base import Base
from hgeisim.drivers.explored.baselines import recorded
from hgeisim.drivers.explored.counterexample.isolate import isolate
from hgeisim.drivers.explored.counterexample.shrink import shrink_all
from hgeisim.drivers.explored.explorer import space_of
from hgeisim.drivers.explored.reach import Reach
from hgeisim.drivers.explored.strategies.fewest_switches import fewest_switches, wish_for
from hgeisim.drivers.explored.strategies.lock_walks import WALKS, LockWalks, lock_walks
from hgeisim.drivers.explored.strategies.portfolio import portfolio
from hgeisim.drivers.explored.strategies.strategy import Draw
from hgeisim.drivers.explored.strategies.verdict import Verdict
from hgeisim.drivers.explored.strategies.walk import random_walk
from hgeisim.errors import InputError, Problem
from hgeisim.kernel.variants import own_files, variant_problem, without_last_patch
from hgeisim.report.exploration import document
from hgeisim.report.findings import in_order
from hgeisim.report.lock_walks import add_lock_order
from hgeisim.report.reach import add_reach
from hgeisim.report.trial import add_trial
from hgeisim.scenario.schema import Scenario
from hgeisim.scenario.streams import Streams
from hgeisim.scenario.variation import on_variant


class Exploration:
    """A scenario that the command line calls by a name, and what is found in it.

    `against` compares that with the base, where it is compared; else known.toml says what is new.
    """

    def __init__(self, name: str, scenario: Scenario, options: dict[str, Any]) -> None:
        self.name, self.scenario, self.options = name, scenario, options
        self.against = self._against_base()
        self.space = space_of(scenario)
        self.verdict = Verdict()
        self.walks: LockWalks | None = None

    def _against_base(self) -> AgainstBase | None:
        """Compare where a base was asked for, or where the patch is a user's own."""
        options, variant = self.options, self.scenario.kernel.variant
        base: str | None = options["base"]
        if base is None and not own_files(variant):
            return None
        if base and (problem := variant_problem(base)):
            raise InputError([Problem("command line", "--base", repr(base), problem)])
        scenario = on_variant(self.scenario, base or without_last_patch(variant))
        known = Base(scenario, options["states"])
        return AgainstBase(self.scenario, known, options["walk"] or 0, options["strict"])

    def search(self) -> None:
        """Search all interleavings, or random ones."""
        if self.options["walk"]:
            draw = Draw(Streams(self.scenario.run.seed).stream("walk"))
            self.verdict = random_walk(self.space, self.options["walk"], draw, self._enough)
            return
        with searched_states("exploring") as progress:
            self.verdict = portfolio(self.space, self.options["states"], progress, self._enough)

    def _enough(self, finding_id: str) -> bool:
        if not self.options["first"]:
            return False
        if self.against:
            return self.against.is_new(finding_id)
        return bool(self._new(of_ids([finding_id])))

    def _new(self, found: Mapping[str, Cause]) -> list[str]:
        kernel = self.scenario.kernel
        return new_findings(found, kernel.variant, self.options["strict"], kernel.realtime)

    def follow_up(self) -> None:
        """Compare or tell hazards apart, look at lock order, shorten schedules: each unless it was
        stopped before.

        The search is over: whatever stops this takes away nothing that was found.
        """
        verdict = self.verdict
        with verdict.unharmed():
            if self.against:
                self._judge(self.against)
            elif verdict.stopped is None and not (self.options["walk"] or self.options["first"]):
                isolate(self.space, verdict, self.options["states"])
                self._count_accepted()
            if verdict.stopped is None:
                self._look_at_locks()
            if self.walks is not None and verdict.stopped is None:
                self.walks.try_alone(self.space)
                shrink_all(self.space, verdict)

    def _count_accepted(self) -> None:
        """Find for what may be accepted the schedules with the fewest switches, which show its
        cause; of a shipped base in a shipped scenario they were found before."""
        kernel, found = self.scenario.kernel, self.verdict.counterexamples
        ids = {i for i in found if accepted(i, kernel.variant, kernel.realtime)}
        if ids and recorded(self.scenario) is None:
            ways = fewest_switches(self.space, self.options["states"], wish_for(ids)).ways
            found |= {i: ways[i] for i in sorted(ids & ways.keys())}

    def _judge(self, against: AgainstBase) -> None:
        with searched_states(f"comparing with {against.base.variant}") as progress:
            against.base.progress = progress
            against.judge(self.space, self.verdict)

    def _look_at_locks(self) -> None:
        """Lock order along the counterexamples and some random schedules."""
        known = [each.schedule for each in self.verdict.counterexamples.values()]
        below = Streams(self.scenario.run.seed).stream("lock-order").below
        self.walks = lock_walks(self.space, known, WALKS, below)
        self.verdict.stopped = self.walks.stopped
        if self.against:
            self.against.judge_locks(self.walks, self.verdict)

    def document(self) -> dict[str, Any]:
        """All of it as plain data."""
        found = self.verdict.causes | (self.walks.causes if self.walks else {})
        against = self.against
        new = against.counting(against.standings()) if against else self._new(found)
        result = document(self.name, self.scenario, self.verdict, new)
        if self.walks is not None:
            add_lock_order(result, self.scenario, self.walks, new)
        if against:
            add_trial(result, against)
        add_reach(result, Reach(self.scenario, self.space), against.base if against else None)
        result["findings"] = in_order(result["findings"])
        return result

    def remarks(self) -> Iterator[str]:
        """What differs from time to time: how long it took to search the base."""
        for base in self.against.searched() if self.against else ():
            yield f"{base.variant} was searched as well, which took {base.seconds:.1f} s"
