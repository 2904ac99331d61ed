"""Vacuous verdicts: no code that handles lines was reached, so nothing was shown."""

from __future__ import annotations

from collections.abc import Iterator

from hgeisim.checks.check import vcpus
from hgeisim.kernel.main import Module
from hgeisim.kernel.structs import EMUL, Vcpu
from hgeisim.machine.topology import Topology
from hgeisim.scenario.action import VERBS
from hgeisim.scenario.schema import Scenario

NO_GUEST = "no guest was entered"
NO_LINE = "no line was handed out"


def vacuous(scenario: Scenario, guest: bool, line: bool, base_line: bool | None = None) -> str:
    """The reason why a verdict on a scenario is vacuous; an empty text if it is not.

    `guest`: a guest that may use lines was entered, if any was to be; `line`: a line was handed
    out; `base_line` is the same for the base, if there is one.
    """
    if not wants_lines(scenario):
        return ""
    if not guest:
        return NO_GUEST
    if line:
        return ""
    if base_line is None:
        return NO_LINE if has_lines(scenario.topology) and not scenario.no_lines else ""
    return f"{NO_LINE}, and the base hands one out" if base_line else ""


def to_enter(scenario: Scenario, k: Module) -> Iterator[Vcpu]:
    """The vCPUs in mode auto or hwaccel whose guests are to run: those of a [[vm]], and those whose
    task has a verb that enters them."""
    named = {vcpu.name for vcpu in scenario.vcpu}
    entered = (task for task in scenario.task if any(VERBS[a.verb].enters for a in task.does))
    run = {task.vcpu for task in entered}
    users = (vcpu for vcpu in vcpus(k) if vcpu.vm.asked_mode != EMUL)
    return (vcpu for vcpu in users if vcpu.name in run or vcpu.name not in named)


def wants_lines(scenario: Scenario) -> bool:
    """Whether any vCPU is to run in mode auto or hwaccel."""
    modes = [*(vm.mode for vm in scenario.vm), *(vcpu.mode for vcpu in scenario.vcpu)]
    return any(mode != "emul" for mode in modes)


def has_lines(topology: Topology) -> bool:
    """Whether the machine has a line to hand out."""
    return any(hart.lines for hart in topology.harts)
