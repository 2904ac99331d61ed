"""Consistency between the tables of a scenario: references, names and the order of times."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

from hgeisim.errors import Problem, did_you_mean
from hgeisim.scenario.action import VERBS
from hgeisim.scenario.messages import show
from hgeisim.scenario.parse import Draft, present
from hgeisim.scenario.schema import Hotplug
from hgeisim.scenario.table import format_duration
from hgeisim.scenario.task_consistency import TASK_CHECKS
from hgeisim.scenario.timing import never_takes_time

Finding = tuple[str, str, str]
"""A key, its value and the values allowed."""


def inconsistencies(draft: Draft) -> Iterator[Problem]:
    """Problems between the tables of a draft; tables with mistakes of their own are left out."""
    for check in CHECKS:
        for where, value, allowed in check(draft):
            yield Problem(draft.file, where, value, allowed)
    yield from _unknown(draft, "vcpu", _vcpus_used(draft))
    yield from _unknown(draft, "vm", _vms_used(draft))


def _nothing_to_do(draft: Draft) -> Iterator[Finding]:
    if not draft.raw.get("vm") and not draft.raw.get("task"):
        yield "", "", "must have at least one [[vm]] or [[task]]"


def _unknown_harts(draft: Draft) -> Iterator[Finding]:
    if draft.topology is None:
        return
    count = len(draft.topology.harts)
    for where, value, hart in _harts_used(draft):
        if hart >= count:
            yield where, value, f"must be a HART of this machine, 0..{count - 1}"


def _harts_used(draft: Draft) -> Iterator[tuple[str, str, int]]:
    if draft.kernel is not None:
        yield "kernel.init_hart", str(draft.kernel.init_hart), draft.kernel.init_hart
    for where, window in present("hotplug", draft.hotplug):
        yield f"{where}.hart", str(window.hart), window.hart
    for where, harts in _hart_lists(draft):
        for i, hart in enumerate(harts):
            yield f"{where}[{i}]", str(hart), hart
    for where, vcpu in present("vcpu", draft.vcpu):
        yield f"{where}.hart", str(vcpu.hart), vcpu.hart
    for where, device in present("device", draft.device):
        if device.hart is not None:
            yield f"{where}.hart", str(device.hart), device.hart
    for where, load in present("lock_load", draft.lock_load):
        if load.hart is not None:
            yield f"{where}.hart", str(load.hart), load.hart
        yield f"{where}.lines_of", str(load.lines_of), load.lines_of
    for where, task in present("task", draft.task):
        if task.hart is not None:
            yield f"{where}.hart", str(task.hart), task.hart
        for i, action in enumerate(task.does):
            if action.hart is not None:
                yield f"{where}.does[{i}]", show(str(action)), action.hart


def _hart_lists(draft: Draft) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The lists of HARTs, each with its key."""
    yield "machine.offline", _offline_at_first(draft)
    for where, vm in present("vm", draft.vm):
        yield f"{where}.harts", vm.harts or ()
    for where, load in present("lock_load", draft.lock_load):
        yield f"{where}.harts", load.harts or ()
    if draft.random_hotplug is not None:
        yield "random_hotplug.harts", draft.random_hotplug.harts or ()


def _offline_at_first(draft: Draft) -> tuple[int, ...]:
    return () if draft.machine is None else draft.machine.offline or ()


def _all_offline(draft: Draft) -> bool:
    """Whether no HART is online at first."""
    topology = draft.topology
    return topology is not None and {*range(len(topology.harts))} <= {*_offline_at_first(draft)}


def _starts_offline(draft: Draft) -> Iterator[Finding]:
    """Nothing runs on a HART that is offline, but for the thread that brings it up."""
    offline = _offline_at_first(draft)
    if _all_offline(draft):
        yield "machine.offline", show(list(offline)), "must leave at least one HART online"
        return
    allowed = "must be a HART that is online at first, see machine.offline"
    for where, hart in _harts_needed(draft):
        if hart in offline:
            yield where, str(hart), allowed


def _harts_needed(draft: Draft) -> Iterator[tuple[str, int]]:
    """The HARTs that something runs on from the start."""
    if draft.kernel is not None:
        yield "kernel.init_hart", draft.kernel.init_hart
    for where, vcpu in present("vcpu", draft.vcpu):
        yield f"{where}.hart", vcpu.hart
    for where, load in present("lock_load", draft.lock_load):
        for hart in load.places:
            yield f"{where}.{'hart' if load.harts is None else 'harts'}", hart
    for where, task in present("task", draft.task):
        verb = VERBS[task.does[0].verb]
        if task.hart is not None and not (verb.hotplug or verb.idle):
            yield f"{where}.hart", task.hart


def _harts_listed_twice(draft: Draft) -> Iterator[Finding]:
    for where, harts in _hart_lists(draft):
        for i, hart in enumerate(harts):
            if hart in harts[:i]:
                yield f"{where}[{i}]", str(hart), "must be listed only once"


def _time_stands_still(draft: Draft) -> Iterator[Finding]:
    """A vCPU whose entry fails tries again after a context switch, so that must take time."""
    if draft.timing is not None and never_takes_time(draft.timing.context_switch):
        yield "timing.context_switch", _time(0), "must be above 0ns, or time may stand still"


def _hotplug_elsewhere(draft: Draft) -> Iterator[Finding]:
    """The thread cpuhp/N runs on HART N, and so does the idle task of HART N."""
    for where, task in present("task", draft.task):
        for i, action in enumerate(task.does):
            verb = VERBS[action.verb]
            if (verb.hotplug or verb.idle) and action.hart != task.hart:
                if draft.topology and (action.hart or 0) >= len(draft.topology.harts):
                    continue  # _unknown_harts reports it
                allowed = f"must name the HART of its task, {task.hart}"
                yield f"{where}.does[{i}]", show(str(action)), allowed


def _idle_twice(draft: Draft) -> Iterator[Finding]:
    """A HART has one idle task."""
    first: dict[int, str] = {}
    for where, task in present("task", draft.task):
        idle = task.hart is not None and VERBS[task.does[0].verb].idle
        if idle and first.setdefault(task.hart or 0, where) != where:
            allowed = f"a HART has only one idle task; see {first[task.hart or 0]}"
            yield f"{where}.hart", str(task.hart), allowed


def _unknown(draft: Draft, key: str, used: Iterator[tuple[str, str, str]]) -> Iterator[Problem]:
    """Names that are used, and that no table under a key has."""
    names = list(dict.fromkeys(name for _, name in draft.names(key)))
    allowed = f"must be the name of a [[{key}]]: {', '.join(names) or 'there is none'}"
    for where, value, name in used:
        if name not in names:
            yield Problem(draft.file, where, value, allowed, did_you_mean(name, names))


def _vms_used(draft: Draft) -> Iterator[tuple[str, str, str]]:
    for where, device in present("device", draft.device):
        yield f"{where}.vm", show(device.vm), device.vm


def _vcpus_used(draft: Draft) -> Iterator[tuple[str, str, str]]:
    for where, task in present("task", draft.task):
        if task.vcpu is not None:
            yield f"{where}.vcpu", show(task.vcpu), task.vcpu
        for i, action in enumerate(task.does):
            if action.vcpu is not None:
                yield f"{where}.does[{i}]", show(str(action)), action.vcpu


def _names_used_twice(draft: Draft) -> Iterator[Finding]:
    guests = draft.names("vm") + draft.names("vcpu")
    for names in (guests, draft.names("task"), draft.names("device"), draft.names("lock_load")):
        first: dict[str, str] = {}
        for where, name in names:
            if first.setdefault(name, where) != where:
                allowed = f"must be unique; {first[name]} has the same name"
                yield f"{where}.name", show(name), allowed


def _vcpus_used_twice(draft: Draft) -> Iterator[Finding]:
    """A vCPU has one thread, and is destroyed once."""
    first: dict[tuple[str, str], str] = {}
    for where, value, vcpu in _vcpus_used(draft):
        own = where.endswith(".vcpu")
        what = "have only one thread" if own else VERBS[value.strip('"').split()[0]].once
        if what and first.setdefault((what, vcpu), where) != where:
            yield where, value, f"a vCPU can {what}; see {first[what, vcpu]}"


def _order_of_times(draft: Draft) -> Iterator[Finding]:
    for where, vm in present("vm", draft.vm):
        if vm.destroyed is not None and vm.destroyed <= vm.arrives:
            yield f"{where}.destroyed", _time(vm.destroyed), _later(vm.arrives, "arrives")
    for where, window in present("hotplug", draft.hotplug):
        begins_ns = window.offline or 0
        if window.offline is not None and window.online is not None and window.online <= begins_ns:
            yield f"{where}.online", _time(window.online), _later(begins_ns, "offline")


def _hotplug_of_offline_harts(draft: Draft) -> Iterator[Finding]:
    """A HART that is offline at first comes online, all others go offline before that."""
    offline, seen = _offline_at_first(draft), set[int]()
    windows = present("hotplug", draft.hotplug)
    for where, window in sorted(windows, key=lambda w: _begins_ns(w[1])):
        first = window.hart in offline and window.hart not in seen
        seen.add(window.hart)
        if first and window.offline is not None:
            allowed = "must be left out: the HART is in machine.offline, so it comes online first"
            yield f"{where}.offline", _time(window.offline), allowed
        elif window.offline is None and not first:
            yield f"{where}.offline", "", "is missing; only a HART of machine.offline has none"


def _overlapping_hotplug(draft: Draft) -> Iterator[Finding]:
    windows = sorted(present("hotplug", draft.hotplug), key=_by_hart)
    for (earlier, first), (where, second) in pairwise(windows):
        begins_ns = _begins_ns(second)
        if first.hart == second.hart and _is_offline(first, begins_ns):
            allowed = f"must not follow {earlier}, which leaves HART {first.hart} offline for good"
            if first.online is not None:
                allowed = _later(first.online, f"{earlier}.online")
            yield f"{where}.offline", _time(begins_ns), allowed


def _module_in_use(draft: Draft) -> Iterator[Finding]:
    """A VM holds the module, so rmmod refuses; `destroy` removes a vCPU, not its VM."""
    if not draft.names("vm") and not draft.names("vcpu"):
        return
    allowed = "is allowed only in a scenario without [[vm]] and [[vcpu]]: a VM holds the module"
    for where, task in present("task", draft.task):
        for i, action in enumerate(task.does):
            if VERBS[action.verb].alone:
                yield f"{where}.does[{i}]", show(str(action)), allowed


def _no_hart_left(draft: Draft) -> Iterator[Finding]:
    windows = list(present("hotplug", draft.hotplug))
    if draft.topology is None or _all_offline(draft):
        return  # _starts_offline reports it
    never = {*_offline_at_first(draft)} - {w.hart for _, w in windows}
    for where, window in windows:
        now_ns = _begins_ns(window)
        down = {w.hart for _, w in windows if _begins_ns(w) <= now_ns and _is_offline(w, now_ns)}
        down |= never
        if len(down) >= len(draft.topology.harts):
            yield f"{where}.offline", _time(now_ns), "must leave at least one HART online"


def _random_hotplug(draft: Draft) -> Iterator[Finding]:
    """Random hotplug avoids the HARTs of [[hotplug]], which may all be offline, and needs two
    others: one to take offline, and one that stays online."""
    plan, planned = draft.random_hotplug, {w.hart for _, w in present("hotplug", draft.hotplug)}
    if plan is None:
        return
    for i, hart in enumerate(plan.harts or ()):
        if hart in planned:
            allowed = "must not be a HART of a [[hotplug]] table"
            yield f"random_hotplug.harts[{i}]", str(hart), allowed
    if draft.topology is not None and len(draft.topology.harts) < len(planned) + 2:
        count = len(draft.topology.harts)
        allowed = "must leave one HART online besides a random one and those of [[hotplug]]"
        yield "random_hotplug", f"{count} HART{'s' * (count > 1)}", allowed


def _begins_ns(window: Hotplug) -> int:
    """When a window begins in which a HART is offline: for one that is so at first, at 0."""
    return window.offline or 0


def _by_hart(placed: tuple[str, Hotplug]) -> tuple[int, int]:
    return placed[1].hart, _begins_ns(placed[1])


def _is_offline(window: Hotplug, now_ns: int) -> bool:
    """Whether a window that has begun is not over yet."""
    return window.online is None or now_ns <= window.online


def _time(value_ns: int) -> str:
    return show(format_duration(value_ns))


def _later(value_ns: int, key: str) -> str:
    return f"must be later than {key} = {_time(value_ns)}"


CHECKS: tuple[Callable[[Draft], Iterator[Finding]], ...] = (
    _nothing_to_do,
    _unknown_harts,
    _harts_listed_twice,
    *TASK_CHECKS,
    _names_used_twice,
    _vcpus_used_twice,
    _hotplug_elsewhere,
    _idle_twice,
    _time_stands_still,
    _starts_offline,
    _order_of_times,
    _hotplug_of_offline_harts,
    _overlapping_hotplug,
    _module_in_use,
    _no_hart_left,
    _random_hotplug,
)
"""The checks, in the order in which their findings are reported."""
