"""A scenario brought to its start: kernel booted, vCPUs on their HARTs, scripts ready to run."""

from __future__ import annotations

from dataclasses import dataclass, field

from hgeisim.drivers.alone import boot, run_alone
from hgeisim.kernel.cpuhp import Cpuhp
from hgeisim.kernel.script import Command, Script
from hgeisim.kernel.state import Thread, Vcpu
from hgeisim.kernel.variants import find_variant
from hgeisim.machine.ops import PREEMPT_DISABLE, PREEMPT_ENABLE, Path
from hgeisim.machine.shared import Memory
from hgeisim.scenario.action import Action
from hgeisim.scenario.schema import Scenario, Task


@dataclass
class Stage:
    """A booted kernel, the vCPUs of the [[vcpu]] tables by name, and the [[task]]s as scripts."""

    k: Cpuhp
    vcpus: dict[str, Vcpu] = field(default_factory=dict)
    scripts: list[Script] = field(default_factory=list)


def set_stage(
    scenario: Scenario, memory: Memory | None = None, kernel: type[Cpuhp] | None = None
) -> Stage:
    """Boot the kernel of a scenario and let each vCPU enter its guest once on its HART.

    `kernel` is the class to use instead of the scenario's variant, such as one with probes in it.
    """
    k = (kernel or find_variant(scenario.kernel.variant))(scenario.topology, memory)
    boot(k, k.add_thread("swapper", scenario.kernel.init_hart))
    stage = Stage(k)
    for entry in scenario.vcpu:
        vcpu = k.add_vcpu(entry.name, entry.hart, entry.mode)
        stage.vcpus[entry.name] = vcpu
        run_alone(_first_entry(k, vcpu), vcpu.thread)
    stage.scripts = [_script(stage, task) for task in scenario.task]
    return stage


def _first_entry(k: Cpuhp, vcpu: Vcpu) -> Path[None]:
    yield PREEMPT_DISABLE
    yield from k.kvm_riscv_vcpu_aia_imsic_update(vcpu.thread, vcpu)
    yield PREEMPT_ENABLE


def _script(stage: Stage, task: Task) -> Script:
    own = stage.vcpus[task.vcpu] if task.vcpu is not None else None
    thread = _thread(stage.k, task, own)
    return Script(stage.k, thread, [_command(stage, action, own) for action in task.does])


def _thread(k: Cpuhp, task: Task, own: Vcpu | None) -> Thread:
    if own is None:
        return k.add_thread(task.name, task.hart or 0)
    own.thread.name = task.name
    return own.thread


def _command(stage: Stage, action: Action, own: Vcpu | None) -> Command:
    vcpu = stage.vcpus[action.vcpu] if action.vcpu is not None else own
    return action.verb, action.hart or 0, vcpu
