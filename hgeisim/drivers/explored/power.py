"""The power of a search: which planted faults it notices.

All faults are in one program, which is searched with none of them on.  Each fault is then tried in
a process of its own, forked from the one that has learned the steps: only steps that ask for the
fault are executed anew.  If all of them answer as before, the fault has no effect.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, NamedTuple

from hgeisim.checks.catalogue import At, asked, is_note
from hgeisim.drivers.explored.explored_scenario import system_of
from hgeisim.drivers.explored.model.cached_step import Answer
from hgeisim.drivers.explored.model.space import Outgrown, Space
from hgeisim.drivers.explored.reach import Reach
from hgeisim.drivers.explored.strategies.context_bounding import fewest_switches, wish_for
from hgeisim.drivers.explored.strategies.exhaustive import exhaustive
from hgeisim.drivers.explored.strategies.verdict import EXHAUSTED, Verdict
from hgeisim.drivers.power.planting import NAME, Fault, Switched, planted
from hgeisim.drivers.power.trials import (
    NO_EFFECT,
    NOTICED,
    SURVIVED,
    Outcome,
    Try,
    cpu_s,
    in_turns,
    outcomes,
    shown_by,
)
from hgeisim.kernel.variants import OWN, find_variant
from hgeisim.scenario.canonical import on_variant
from hgeisim.scenario.schema import Scenario


class Learned(NamedTuple):
    """A step that was learned: its context, the state in which it was learned, its answer."""

    slot: int
    state: bytes
    answer: Answer


class PlantedSpace(Space):
    """The space of a kernel with planted faults, which knows the faults that each step asks for.

    `asking` has for each fault the steps whose answers may depend on it; `at_boot` are the faults
    that were asked for before the tasks begin.
    """

    def __init__(self, scenario: Scenario) -> None:
        super().__init__(system_of(scenario), asked(At.STATE), merging=True)
        k: Any = self.system.k
        self.at_boot = frozenset[int](k.asked)

    def _clear(self, live: Iterable[int], roomy: bool = False) -> None:
        super()._clear(live, roomy)
        self.asking: defaultdict[int, list[Learned]] = defaultdict(list)

    def _learn(self, slot: int, state: bytes) -> Answer:
        k: Any = self.system.k
        k.asked.clear()
        answer = super()._learn(slot, state)
        for number in k.asked:
            self.asking[number].append(Learned(slot, state, answer))
        return answer

    def turn_on(self, number: int) -> bool:
        """Turn a fault on, for good; return whether it changes the answer of any known step.

        The answers of steps that do not ask for it stay known.
        """
        steps, k = self.asking[number], self.system.k
        cell: int = getattr(k, "fault")  # noqa: B009 - of a kernel with faults
        self.system.start[cell] = self.codebook.start[cell] = number
        self.mirror = None
        for slot, state, _ in steps:
            self.trees[slot].pop(state[self._places[slot]], None)
        again = ((self.ask(slot, state), answer) for slot, state, answer in [*steps])
        return any(
            (now.writes, now.findings, now.length) != (old.writes, old.findings, old.length)
            for now, old in again
        )


class Power:
    """The faults of a kernel in a `scenario`; `broken` is the same with the faults planted.

    `faults` are all that were planted, `reached` those that the search asks for, and `outcomes` are
    of the faults that were tried in the given time; `seconds` counts all CPU time.  Faults whose
    numbers are in `passed_over` are not tried.
    """

    def __init__(self, scenario: Scenario, states_max: int) -> None:
        self.scenario, self.states_max = scenario, states_max
        variant = scenario.kernel.variant
        OWN[NAME], self.faults = planted(find_variant(variant))
        self.broken = on_variant(scenario, f"{variant}+{NAME}")
        self.space = PlantedSpace(self.broken)
        self.verdict = Verdict()
        self.switches: dict[str, int] = {}
        self.outcomes: list[Outcome] = []
        self.passed_over: frozenset[int] = frozenset()
        self.began_s, self.seconds = cpu_s(), 0.0
        self.hands_out_a_line = False

    @property
    def reached(self) -> list[Fault]:
        """The faults that steps ask for, in turns of functions, see `in_turns`."""
        asking = self.space.asking
        return in_turns(fault for fault in self.faults if fault.number in asking)

    def search(self) -> None:
        """Search the kernel with no fault on, and count the switches that its findings need."""
        self.verdict = exhaustive(self.space, self.states_max)
        if self.verdict.stopped is not None:
            raise self.verdict.stopped
        wish = wish_for(self.verdict.counterexamples)
        ways = fewest_switches(self.space, self.states_max, wish).ways
        self.switches = {i: way.switches for i, way in ways.items()}
        self.hands_out_a_line = Reach(self.broken, self.space).a_line_was_handed_out

    @property
    def at_boot(self) -> list[Fault]:
        """The faults that only the boot asks for, which no search reaches."""
        asking, at_boot = self.space.asking, self.space.at_boot
        return [f for f in self.faults if f.number in at_boot and f.number not in asking]

    def measure(self, seconds: float, jobs: int = 1) -> None:
        """Try the faults that are reached, until all CPU time so far comes to `seconds`."""
        self._try(self.reached, self.tried, seconds, jobs)

    def measure_boot(self, seconds: float, jobs: int = 1) -> None:
        """Try the faults that only the boot asks for, each from the boot on."""
        self._try(self.at_boot, self.tried_from_boot, seconds, jobs)

    def _try(self, faults: Iterable[Fault], how: Try, seconds: float, jobs: int) -> None:
        wanted = (each for each in faults if each.number not in self.passed_over)
        self.outcomes += outcomes(wanted, how, lambda: cpu_s() - self.began_s < seconds, jobs)
        self.outcomes.sort(key=lambda outcome: outcome.fault.number)
        self.seconds = cpu_s() - self.began_s

    def tried(self, fault: Fault) -> Outcome:
        """Turn a fault on for good, and search until a finding is new."""
        try:
            if not self.space.turn_on(fault.number) and not self.space.outdated:
                return Outcome(fault, NO_EFFECT, "all steps answer as before")
        except Outgrown:
            pass  # the fault makes a step write a cell that no step has written before
        return self._judged(fault, self.space)

    def tried_from_boot(self, fault: Fault) -> Outcome:
        """Search a kernel that has booted with a fault on."""
        Switched.from_boot = fault.number
        return self._judged(fault, PlantedSpace(self.broken))

    def _judged(self, fault: Fault, space: PlantedSpace) -> Outcome:
        """Search until a finding is new, and judge the fault."""
        found = exhaustive(space, self.states_max, enough=self._is_new)
        if found.stopped is not None:
            raise found.stopped
        for finding_id in filter(self._is_new, found.counterexamples):
            return shown_by(fault, finding_id, found.counterexamples[finding_id].finding.text)
        if _graph(found) == _graph(self.verdict):
            return Outcome(fault, NO_EFFECT, "the same states, steps and ends")
        if self.hands_out_a_line and not Reach(self.broken, space).a_line_was_handed_out:
            return Outcome(fault, NOTICED, "vacuous: no line was handed out")
        wish = wish_for(self.switches.keys() & found.counterexamples.keys())
        ways = fewest_switches(space, self.states_max, wish).ways
        for finding_id in sorted(ways):
            if ways[finding_id].switches < self.switches[finding_id]:
                return Outcome(fault, NOTICED, f"easier: {finding_id}")
        gone = self.verdict.counterexamples.keys() - found.counterexamples.keys()
        whole = found.coverage == EXHAUSTED and gone
        return Outcome(fault, SURVIVED, f"gone: {', '.join(sorted(gone))}" if whole else "")

    def _is_new(self, finding_id: str) -> bool:
        return finding_id not in self.verdict.counterexamples and not is_note(finding_id)


def _graph(verdict: Verdict) -> tuple[Any, ...]:
    ids = sorted(verdict.counterexamples)
    return verdict.coverage, verdict.states, verdict.transitions, verdict.ends, ids
