"""What can be the cause of a finding of which only the scenario is known."""

from __future__ import annotations

from hgeisim.checks.cause import HAPPENINGS, Cause
from hgeisim.scenario.action import VERBS
from hgeisim.scenario.schema import Scenario


def possible(scenario: Scenario) -> Cause:
    """All that may come before a finding: what only an action begins, if there is that action."""
    done = {action.verb for task in scenario.task for action in task.does}
    return Cause(frozenset(each for each in HAPPENINGS if each not in VERBS or each in done))
