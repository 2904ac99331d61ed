"""Consistency of the [[task]] tables: what each may do beside the others."""

from __future__ import annotations

from collections.abc import Iterator

from hgeisim.scenario.messages import show
from hgeisim.scenario.parse import Draft, present
from hgeisim.scenario.schema import Task

Finding = tuple[str, str, str]
"""A key, its value and the values allowed."""


def _vm_of(draft: Draft) -> dict[str, str]:
    """The VM of each vCPU."""
    return {vcpu.name: vcpu.vm_name for _, vcpu in present("vcpu", draft.vcpu)}


def _stores_elsewhere(draft: Draft) -> Iterator[Finding]:
    """A guest can reach the pages of its own VM, and no others."""
    vm_of = _vm_of(draft)
    for where, task in present("task", draft.task):
        for i, action in enumerate(task.does):
            if action.verb == "store" and {action.vcpu, task.vcpu} <= vm_of.keys():
                own, other = vm_of[task.vcpu or ""], vm_of[action.vcpu or ""]
                if own != other:
                    allowed = f"must name a vCPU of the same VM: {task.vcpu} is one of {show(own)}"
                    yield f"{where}.does[{i}]", show(str(action)), allowed


def _monitor_has_others(draft: Draft) -> Iterator[Finding]:
    """A monitor exits with its last thread."""
    vm_of = _vm_of(draft)
    tasks = list(present("task", draft.task))
    threads = [(where, vm_of.get(task.vcpu)) for where, task in tasks if task.vcpu]
    for where, task in tasks:
        last = len(task.does) - 1
        vm = vm_of.get(task.vcpu or "")
        others = [each for each, its in threads if its == vm and each != where]
        if _exits(task) and others:
            allowed = f"a monitor exits with its last thread; {others[0]} is another one of its VM"
            yield f"{where}.does[{last}]", show(str(task.does[last])), allowed


def _vm_is_used(draft: Draft) -> Iterator[Finding]:
    """A VM goes when nobody uses it: KVM_RUN does, and a store comes from a guest of it."""
    vm_of = _vm_of(draft)
    tasks = list(present("task", draft.task))
    runs = {task.vcpu: where for where, task in tasks if task.vcpu}
    exits = {vm_of.get(task.vcpu or ""): where for where, task in tasks if _exits(task)}
    for where, task in tasks:
        for i, action in enumerate(task.does):
            value, vm = show(str(action)), vm_of.get(action.vcpu or "")
            if action.verb == "destroy" and action.vcpu in runs:
                allowed = f"must be a vCPU without a task; {runs[action.vcpu]} is in KVM_RUN"
                yield f"{where}.does[{i}]", value, allowed
            if action.verb == "msi" and vm in exits:
                allowed = f"is a store of a guest, and the monitor exits in {exits[vm]}; use irqfd"
                yield f"{where}.does[{i}]", value, allowed


def _created_before(draft: Draft) -> Iterator[Finding]:
    """A VM is created once, and whoever creates it cannot use it before that."""
    vm_of, first = _vm_of(draft), dict[str, str]()
    actions = [each for _, task in present("task", draft.task) for each in task.does]
    late = {vm_of.get(each.vcpu or "") for each in actions if each.verb == "create"}
    for where, task in present("task", draft.task):
        for i, action in enumerate(task.does):
            vm = vm_of.get(action.vcpu or "")
            if action.verb != "create" or vm is None:
                continue
            used = [each for each in task.does[:i] if vm_of.get(each.vcpu or "") in late]
            place, value = f"{where}.does[{i}]", show(str(action))
            if first.setdefault(vm, place) != place:
                yield place, value, f"VM {vm} can be created only once; see {first[vm]}"
            elif used and any(each.verb != "create" for each in used):
                other = next(each for each in used if each.verb != "create")
                yield place, value, f'must come before "{other}", which waits for a VM'


def _suspends_alone(draft: Draft) -> Iterator[Finding]:
    """One task suspends the host, and whatever else is in user space rests meanwhile."""
    tasks = list(present("task", draft.task))
    suspends = [(where, task) for where, task in tasks if _verbs(task) & {"suspend"}]
    for where, task in suspends:
        value = show([str(action) for action in task.does])
        if _verbs(task) != {"suspend"}:
            yield f"{where}.does", value, "must do nothing else where it suspends the host"
        if where != suspends[0][0]:
            yield f"{where}.does", value, f"the host has one task for that; see {suspends[0][0]}"
        if draft.names("vm"):
            yield f"{where}.does", value, "is allowed only in a scenario without [[vm]]"
        for other, each in tasks:
            if strange := sorted(_verbs(each) & ALONE):
                allowed = f"does not go together with {strange[0]}, see {other}"
                yield f"{where}.does", value, allowed


ALONE = {"power_down", "load", "unload", "shutdown", "offline", "create", "destroy"}
"""What the freezer of a scenario does not know of, or what suspending does itself."""


def _verbs(task: Task) -> set[str]:
    return {action.verb for action in task.does}


def _exits(task: Task) -> bool:
    return task.does[-1].verb == "exit_mm"


TASK_CHECKS = (
    _stores_elsewhere,
    _monitor_has_others,
    _vm_is_used,
    _created_before,
    _suspends_alone,
)
"""The checks, in the order in which their findings are reported."""
