"""The number of planted faults that runs notice.

All faults are planted in one program.  First it runs with all of them off, in `SEEDS` seeds and as
many more, so that a rare finding is not attributed to a fault.  Then each fault that these runs
reached is on from the boot, in a process of its own and in the first seeds, until a new finding
shows.
"""

from __future__ import annotations

from typing import Any

from hgeisim.checks.catalogue import OF_OWN_PATCHES, is_note
from hgeisim.checks.check import vcpus
from hgeisim.drivers.power.planting import NAME, Fault, Switched, planted
from hgeisim.drivers.power.trials import (
    NO_EFFECT,
    NOTICED,
    SURVIVED,
    Outcome,
    cpu_s,
    in_turns,
    outcomes,
    shown_by,
)
from hgeisim.drivers.timed.simulation import Simulation, simulate
from hgeisim.kernel.variants import OWN, find_variant
from hgeisim.runs.fingerprint import fingerprint
from hgeisim.scenario.canonical import on_variant, with_seed
from hgeisim.scenario.schema import Scenario

SEEDS = 3
"""Seeds in which each fault is tried."""
ROOM = 4
"""A fault may take this many times as long as the kernel without faults."""
LEAST_S = 10
"""The CPU seconds that a fault may take in any case."""


class RunPower:
    """The faults of a kernel in a `scenario`; `broken` is the scenario with all of them planted.

    `faults` are those that were planted, `reached` those that some run executes, `outcomes` those
    that were tried in the given time; `seconds` is all CPU time.  `ends` are the end states of the
    runs without a fault.
    """

    def __init__(self, scenario: Scenario) -> None:
        self.scenario, self.began_s, self.seconds = scenario, cpu_s(), 0.0
        variant = scenario.kernel.variant
        OWN[NAME], self.faults = planted(find_variant(variant))
        self.broken = on_variant(scenario, f"{variant}+{NAME}")
        self.asked: set[int] = set()
        self.ids: set[str] = set()
        self.ends: list[tuple[Any, ...]] = []
        self.line_handed_out = False
        self.outcomes: list[Outcome] = []

    @property
    def reached(self) -> list[Fault]:
        """The faults that some run executes, in an order in which any prefix is spread evenly."""
        return in_turns(fault for fault in self.faults if fault.number in self.asked)

    def run(self, seconds: float) -> bool:
        """Run the kernel without any fault; False if half of the CPU seconds do not suffice."""
        for number in range(2 * SEEDS):
            simulation = self._run(number)
            if (cpu_s() - self.began_s) * 2 * SEEDS > 0.5 * seconds * (number + 1):
                return False
            self.ids |= simulation.findings.keys()
            self.ends.append(_end(simulation))
            self.line_handed_out |= simulation.guests.line_handed_out
            if number < SEEDS:
                self.asked |= vars(simulation.k)["asked"]
        return True

    @property
    def broken_already(self) -> list[str]:
        """The findings that show without a fault and that a working kernel does not have."""
        return sorted(i for i in self.ids if i.partition(":")[0] in OF_OWN_PATCHES)

    def measure(self, seconds: float, jobs: int = 1) -> None:
        """Try the faults that are reached, until the CPU seconds are used up; these include the
        runs without a fault."""
        longest_s = LEAST_S + int(ROOM * (cpu_s() - self.began_s) / 2)
        may_go_on = lambda: cpu_s() - self.began_s < seconds  # noqa: E731
        self.outcomes += outcomes(self.reached, self.tried, may_go_on, jobs, longest_s)
        self.outcomes.sort(key=lambda outcome: outcome.fault.number)
        self.seconds = cpu_s() - self.began_s

    def tried(self, fault: Fault) -> Outcome:
        """Run with a fault until a new finding shows."""
        Switched.from_boot = fault.number
        same, handed_out = True, False
        for number in range(SEEDS):
            simulation = self._run(number)
            for finding_id, (_, finding) in simulation.findings.items():
                if finding_id not in self.ids and not is_note(finding_id):
                    return shown_by(fault, finding_id, finding.text)
            same = same and _end(simulation) == self.ends[number]
            handed_out = handed_out or simulation.guests.line_handed_out
        if self.line_handed_out and not handed_out:
            return Outcome(fault, NOTICED, "vacuous: no line was handed out")
        if same:
            return Outcome(fault, NO_EFFECT, "the same timelines and end states")
        return Outcome(fault, SURVIVED, "")

    def _run(self, number: int) -> Simulation:
        seed = self.scenario.run.seed + number
        simulation = simulate(with_seed(self.broken, seed), record="all")
        simulation.run(self.scenario.run.until)
        return simulation


def _end(simulation: Simulation) -> tuple[Any, ...]:
    """The end of a run: the fingerprint of its timeline, and the values of all structs."""
    k = simulation.k
    structs = [*k.hart, *k.hgei, *k.per_cpu, k.globals]
    for vcpu in vcpus(k):
        structs += [vcpu, vcpu.swfile, vcpu.wait]
    values: list[Any] = []
    for struct in structs:
        values += [getattr(struct, name) for name in type(struct).fields]
        values += [tuple(getattr(struct, name)) for name in type(struct).arrays]
    return fingerprint(simulation.timeline), *values
