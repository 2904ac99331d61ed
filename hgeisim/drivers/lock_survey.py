"""A lock survey: the lock order of a kernel, learned from many scenarios together.

Each scenario runs once in time; one with [[task]] tables is also followed along random schedules.
All of them teach the same validator, so two scenarios that lock in opposite orders are a finding,
as two tasks would be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from hgeisim.checks.finding import Finding
from hgeisim.drivers.explored.explored_scenario import space_of
from hgeisim.drivers.explored.strategies.lock_walks import lock_walks
from hgeisim.drivers.timed.simulation import simulate
from hgeisim.lockorder.report.violation import Report
from hgeisim.lockorder.rules.validator import Validator
from hgeisim.lockorder.rules.wait_context import Config
from hgeisim.scenario.schema import Scenario
from hgeisim.scenario.streams import Streams
from hgeisim.watch.lock_report import finding_of, redundant

WALKS = 24
"""Random schedules of each scenario that has tasks."""


@dataclass
class Survey:
    """The validators that have learned: one for PREEMPT_RT (True), one for other models (False).

    `runs` and `schedules` count what they have seen of the `scenarios`.
    """

    scenarios: list[str] = field(default_factory=list)
    validators: dict[bool, Validator] = field(default_factory=dict)
    runs: int = 0
    schedules: int = 0

    def reports(self) -> dict[str, Report]:
        """The reports by the id of their finding, without cycles that repeat others."""
        found: dict[str, Report] = {}
        for validator in self.validators.values():
            reports = {finding_of(report).id: report for report in validator.reports}
            less = set(redundant(validator.reports))
            found |= {i: r for i, r in reports.items() if i not in less and i not in found}
        return found

    def findings(self) -> dict[str, Finding]:
        """The same as findings."""
        return {i: finding_of(report) for i, report in self.reports().items()}


def survey(
    scenarios: Iterable[tuple[str, Scenario]], progress: Callable[[str], None] = lambda _: None
) -> Survey:
    """Learn from scenarios, each given with its name; `progress` is called with each name first."""
    made = Survey()
    for name, scenario in scenarios:
        progress(name)
        made.scenarios.append(name)
        realtime = scenario.kernel.realtime
        config = Config(preempt_rt=realtime)
        validator = made.validators.setdefault(realtime, Validator(config))
        simulate(scenario, validator=validator).run(scenario.run.until)
        made.runs += 1
        if scenario.task:
            space = space_of(scenario, validator)
            below = Streams(scenario.run.seed).stream("lock-order").below
            walks = lock_walks(space, (), WALKS, below, space.system.lock_order)
            if walks.stopped is not None:
                raise walks.stopped
            made.schedules += walks.schedules
    return made
