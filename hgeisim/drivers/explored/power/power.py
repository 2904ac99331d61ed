"""How many planted faults a search notices.

All faults stand in one program, which is searched without any.  Each is then tried in a process of
its own, forked from the one that has learned the steps: only those that ask for the fault are made
anew.  Where all of them answer as before, the fault has no effect.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hgeisim.checks.catalogue import is_note
from hgeisim.drivers.explored.model.space import Outgrown
from hgeisim.drivers.explored.power.planted_space import PlantedSpace
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


class Power:
    """The faults of a kernel in a `scenario`, which is `broken` once they are planted.

    `faults` are all that were planted, `reached` those that the search asks for, `outcomes` those
    that were tried, as far as the time went; `seconds` is all CPU time.  Faults whose numbers are
    `passed_over` are not tried.
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
        """The faults that some step asks for, so ordered that any first part is spread evenly over
        functions."""
        asking = self.space.asking
        return in_turns(fault for fault in self.faults if fault.number in asking)

    def search(self) -> None:
        """Search the kernel without any fault, and count what its findings need."""
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
        """Try the faults that are reached, up to so many CPU seconds with all that was before."""
        self._try(self.reached, self.tried, seconds, jobs)

    def measure_boot(self, seconds: float, jobs: int = 1) -> None:
        """Try those that only the boot asks for, each from the boot on."""
        self._try(self.at_boot, self.tried_from_boot, seconds, jobs)

    def _try(self, faults: Iterable[Fault], how: Try, seconds: float, jobs: int) -> None:
        wanted = (each for each in faults if each.number not in self.passed_over)
        self.outcomes += outcomes(wanted, how, lambda: cpu_s() - self.began_s < seconds, jobs)
        self.outcomes.sort(key=lambda outcome: outcome.fault.number)
        self.seconds = cpu_s() - self.began_s

    def tried(self, fault: Fault) -> Outcome:
        """Turn a fault on, which stays on, and search until something is new."""
        try:
            if not self.space.turn_on(fault.number) and not self.space.outdated:
                return Outcome(fault, NO_EFFECT, "all steps answer as before")
        except Outgrown:
            pass  # it writes what nobody wrote before
        return self._judged(fault, self.space)

    def tried_from_boot(self, fault: Fault) -> Outcome:
        """Search a kernel that has booted with a fault."""
        Switched.from_boot = fault.number
        return self._judged(fault, PlantedSpace(self.broken))

    def _judged(self, fault: Fault, space: PlantedSpace) -> Outcome:
        """Search until something is new."""
        found = exhaustive(space, self.states_max, enough=self._is_new)
        if found.stopped is not None:
            raise found.stopped
        for finding_id in filter(self._is_new, found.counterexamples):
            return shown_by(fault, finding_id, found.counterexamples[finding_id].finding.text)
        if _graph(found) == _graph(self.verdict):
            return Outcome(fault, NO_EFFECT, "the same states, steps and ends")
        if self.hands_out_a_line and not Reach(self.broken, space).a_line_was_handed_out:
            return Outcome(fault, NOTICED, "vacuous: no line was handed out")
        easier = self._easier(space, found)
        if easier:
            return Outcome(fault, NOTICED, f"easier: {easier}")
        gone = self.verdict.counterexamples.keys() - found.counterexamples.keys()
        whole = found.coverage == EXHAUSTED and gone
        return Outcome(fault, SURVIVED, f"gone: {', '.join(sorted(gone))}" if whole else "")

    def _is_new(self, finding_id: str) -> bool:
        return finding_id not in self.verdict.counterexamples and not is_note(finding_id)

    def _easier(self, space: PlantedSpace, found: Verdict) -> str:
        """A finding that needs fewer switches than without the fault."""
        wish = wish_for(self.switches.keys() & found.counterexamples.keys())
        ways = fewest_switches(space, self.states_max, wish).ways
        return next((i for i in sorted(ways) if ways[i].switches < self.switches[i]), "")


def _graph(verdict: Verdict) -> tuple[Any, ...]:
    ids = sorted(verdict.counterexamples)
    return verdict.coverage, verdict.states, verdict.transitions, verdict.ends, ids
