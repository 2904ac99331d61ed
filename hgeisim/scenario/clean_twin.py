"""The clean twin of a scenario: the same without the tasks that take HARTs off and back, or shut
the host down.

Shipped kernels show nothing there, so what a patch does wrong in it is not taken for the hazards
of CPU hotplug that every kernel has.
"""

from __future__ import annotations

from hgeisim.scenario.action import VERBS
from hgeisim.scenario.effective import digest
from hgeisim.scenario.schema import Scenario, Task


def clean_twin(scenario: Scenario) -> Scenario | None:
    """The twin; None where no task would be left, or all would."""
    kept = tuple(task for task in scenario.task if not _is_left_out(task))
    if not kept or len(kept) == len(scenario.task):
        return None
    twin = scenario.model_copy(update={"task": kept})
    return twin.model_copy(update={"digest": digest(twin)})


def left_out(scenario: Scenario) -> list[str]:
    """The names of the tasks that the twin lacks."""
    return [task.name for task in scenario.task if _is_left_out(task)]


def _is_left_out(task: Task) -> bool:
    return any(VERBS[action.verb].hotplug or action.verb == "shutdown" for action in task.does)
