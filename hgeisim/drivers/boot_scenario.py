"""A booted scenario: the kernel is up, the vCPUs are on their HARTs, the scripts ready to run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import PurePath

from hgeisim.drivers.path_failure import crash, has_own_patch, stack_of, standing_in
from hgeisim.drivers.run_to_end import boot, run_alone
from hgeisim.errors import InputError, NotBooted, Problem, quoted
from hgeisim.kernel.main import Module
from hgeisim.kernel.script import Command, Script
from hgeisim.kernel.structs import AIA_MODES, Thread, Vcpu, Vm
from hgeisim.lockorder.rules.validator import Validator
from hgeisim.machine.hang import Hang
from hgeisim.machine.ops import Path
from hgeisim.machine.shared import Memory
from hgeisim.machine.topology import Clock
from hgeisim.machine.watch import Watch
from hgeisim.scenario.action import VERBS, Action
from hgeisim.scenario.schema import Scenario, Task
from hgeisim.watch.call_chain import PathChains
from hgeisim.watch.lock_order import LockOrder


@dataclass
class BootedScenario:
    """A booted kernel, the vCPUs of the [[vcpu]] tables by name, and the [[task]]s as scripts.

    `moved` are the vCPUs that a script moves to other HARTs, and `idle` the threads of scripts that
    are idle tasks; `lock_order` has seen the boot.
    """

    k: Module
    vcpus: dict[str, Vcpu] = field(default_factory=dict)
    scripts: list[Script] = field(default_factory=list)
    moved: list[Vcpu] = field(default_factory=list)
    idle: list[Thread] = field(default_factory=list)
    lock_order: LockOrder | None = None


def kernel_of(
    scenario: Scenario,
    cls: type[Module],
    memory: Memory | None = None,
    clock: Clock | None = None,
) -> Module:
    """The kernel of a scenario before it boots; `cls` is the class of its variant or one derived
    from that.

    Raises `InputError` if the scenario asks for what that kernel does not have.
    """
    if problems := [*beyond_kernel(scenario, cls)]:
        raise InputError(problems)
    k = cls(scenario.topology, memory, scenario.kernel.realtime, clock=clock)
    for cpu in scenario.machine.offline or ():
        k.hart[cpu].active = k.hart[cpu].online = 0
    k.enable_virt_at_load = scenario.kernel.enable_virt_at_load
    k.halt_poll_ns_max = scenario.kernel.halt_poll_max if memory is None else 0
    return k


def beyond_kernel(scenario: Scenario, cls: type[Module]) -> Iterator[Problem]:
    """The actions of a scenario that are not for its kernel, and its preemption if that is not."""
    preemption = scenario.kernel.preemption
    if cls.preemptions and preemption not in cls.preemptions:
        allowed = f"the code was compiled for {' or '.join(cls.preemptions)}"
        remedy = f"--preemption {cls.preemptions[-1]}, or another build"
        yield Problem(scenario.file, "kernel.preemption", quoted(preemption), allowed, remedy)
    allowed = "needs a kernel that expects HARTs to lose power in idle: v7.3, or cpu-pm on top"
    remedy = f"to see what is lost without: {scenario.kernel.variant}+PM-0"
    for i, task in enumerate(scenario.task):
        for j, action in enumerate(task.does):
            if VERBS[action.verb].idle and not cls.powers_down:
                where = f"task[{i}].does[{j}]"
                yield Problem(scenario.file, where, quoted(str(action)), allowed, remedy)


def booted(scenario: Scenario, k: Module, validator: Validator | None = None) -> BootedScenario:
    """Boot the kernel of a scenario and let each vCPU enter its guest once on its HART.

    `validator` learns the lock order of this scenario in addition to that of others.
    """
    watch, prefix = Watch(), ""
    if validator:
        prefix = f"{PurePath(scenario.file).stem} {'explored' if k.memory else 'timed'}: "
    lock_order = LockOrder(k.realtime, PathChains(watch.paths, type(k)), validator, prefix)
    watch.add(lock_order)
    made = BootedScenario(k, lock_order=lock_order)
    with _place_in_errors(k, watch):
        _boot_and_enter_guests(scenario, made, watch)
    pauses = any(task.is_idle for task in scenario.task)
    made.scripts = [_script(made, task, pauses) for task in scenario.task]
    verbs = {action.verb for task in scenario.task for action in task.does}
    k.freezer.tasks = len(made.scripts) - 1 if "suspend" in verbs else 0
    k.vmids_run_out = "vmid_rollover" in verbs
    return made


def _boot_and_enter_guests(scenario: Scenario, made: BootedScenario, watch: Watch) -> None:
    k = made.k
    monitor = k.add_thread("swapper", scenario.kernel.init_hart)
    boot(k, monitor, watch)
    vms: dict[str, Vm] = {}
    created = created_by_tasks(scenario)
    for entry in scenario.vcpu:
        name = entry.vm_name
        if name not in vms:
            vms[name] = k.add_vm(name, AIA_MODES.index(entry.mode))
            vms[name].creation.awaited = name in created
            vms[name].creation.done = int(name not in created)
            if name not in created:
                run_alone(k.kvm_create_vm(monitor, vms[name]), monitor, watch)
        made.vcpus[entry.name] = k.add_vcpu(entry.name, entry.hart, vms[name])
        made.vcpus[entry.name].identity = entry.identity or 0
    for vm in vms.values():
        if not vm.creation.awaited:
            run_alone(k.aia_create(monitor, vm), monitor, watch)
            run_alone(k.aia_init(monitor, vm), monitor, watch)
    for entry in scenario.vcpu:
        vcpu = made.vcpus[entry.name]
        if vcpu.vm.creation.awaited:
            continue
        stays = any(task.vcpu == entry.name for task in scenario.task)
        run_alone(_first_entry(k, vcpu, stays), vcpu.thread, watch)
        if stays and k.memory is None:  # the next one on its HART was switched to, as in time
            k.put_and_loaded(vcpu, vcpu.cpu)


def created_by_tasks(scenario: Scenario) -> set[str]:
    """The names of the VMs that are not there at first: a task creates them."""
    vm_of = {vcpu.name: vcpu.vm_name for vcpu in scenario.vcpu}
    actions = (action for task in scenario.task for action in task.does)
    return {vm_of[action.vcpu or ""] for action in actions if action.verb == "create"}


@contextmanager
def _place_in_errors(k: Module, watch: Watch) -> Iterator[None]:
    """Add to an error that a user's patch causes how far its path was."""
    try:
        yield
    except Exception as error:
        if not has_own_patch(k):
            raise
        stack = stack_of([None, *watch.paths.values()][-1])
        if isinstance(error, Hang):
            finding, place = crash(k, error), k.source_of(stack)
            shown = f" ({place})" if place and place not in finding.text else ""
            raise NotBooted(finding.id, finding.text + shown) from error
        where = standing_in(k, stack)
        error.add_note(f"while the machine is set up{where and f', in {where}'}")
        raise


def _first_entry(k: Module, vcpu: Vcpu, stays: bool) -> Path[None]:
    """Let a vCPU enter its guest, which sets up its interrupt file and waits; it stays in KVM_RUN
    if its thread has more to do there."""
    yield from k.kvm_vcpu_ioctl_begin(vcpu.thread, vcpu)
    yield from k.vcpu_enter_guest(vcpu.thread, vcpu)
    if not stays:
        yield from k.kvm_vcpu_ioctl_end(vcpu.thread, vcpu)


def _script(made: BootedScenario, task: Task, pauses: bool) -> Script:
    if task.vcpu is None:
        own, thread = None, made.k.add_thread(task.name, task.hart or 0)
        if task.is_idle:
            made.idle.append(thread)
    else:
        own = made.vcpus[task.vcpu]
        thread = own.thread
        thread.name = task.name
    commands = [_command(made, action, own) for action in task.does]
    return Script(made.k, thread, commands, pauses)


def _command(made: BootedScenario, action: Action, own: Vcpu | None) -> Command:
    vcpu = made.vcpus[action.vcpu] if action.vcpu is not None else own
    if own is not None and action.verb == "store":
        own.vm.stores = True
    if own is not None and action.verb == "exit_mm":
        own.vm.monitor_exits = True
    if VERBS[action.verb].moves and vcpu is not None and vcpu not in made.moved:
        made.moved.append(vcpu)
    return Command(action.verb, action.hart or 0, vcpu)
