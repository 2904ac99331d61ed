"""Durations in a trace: which events begin and end an operation, and how long it took each time.

Each function takes the events of a trace in order of time, with the holes where events were lost,
and yields nanoseconds.  Whatever was under way at a hole is forgotten.  `MEASURES` lists all of
these durations, and which entry of the timing table each one belongs to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from hgeisim.trace import kernel_event as kernel
from hgeisim.trace import kvm_event as kvm
from hgeisim.trace.ftrace import Lost
from hgeisim.trace.interval import Event, Interval

Events: TypeAlias = Sequence[Event | Lost]
HGEI_LOCK = "hgctrl->lock"
"""The kernel's name for the lock class of HGEI control, without its `&`."""
SWEEP = "imsic_vsfile_local_read"
TAKEDOWN = "takedown_cpu"
"""The callback of CPU hotplug that runs stop_machine (kernel/cpu.c, v6.12)."""
KVM_CALLBACKS = ("kvm_offline_cpu", "kvm_online_cpu")
"""The callbacks of KVM (virt/kvm/kvm_main.c, v6.12)."""
_Key = Callable[[Event, Any], object]
"""Makes the key of a duration from an event and its meaning."""


def _between(
    begins: Mapping[type[kvm.Meaning], _Key],
    ends: Mapping[type[kvm.Meaning], _Key],
    cancels: Mapping[type[kvm.Meaning], _Key] | None = None,
) -> Callable[[Events], Iterator[int]]:
    """Make the measure from a beginning to the next end with an equal key; None is not counted."""
    cancelling = cancels or {}

    def durations(events: Events) -> Iterator[int]:
        since: dict[object, int] = {}
        for event in events:
            if isinstance(event, Lost):
                since.clear()
            elif key_of := begins.get(type(event.meaning)):
                if (key := key_of(event, event.meaning)) is not None:
                    since[key] = event.record.time_ns
            elif key_of := ends.get(type(event.meaning)):
                begin_ns = since.pop(key_of(event, event.meaning), None)
                if begin_ns is not None:
                    yield event.record.time_ns - begin_ns
            elif key_of := cancelling.get(type(event.meaning)):
                since.pop(key_of(event, event.meaning), None)

    return durations


def _lock(event: Event, meaning: Any) -> object:
    return event.thread, meaning.lock


def _sweeping_cpu(event: Event, meaning: Any) -> object:
    return event.record.cpu if SWEEP in meaning.function else None


holds = _between(
    {kernel.LockAcquire: lambda e, lock: _lock(e, lock) if HGEI_LOCK in lock.name else None},
    {kernel.LockRelease: _lock},
    cancels={kernel.LockContended: _lock},
)
"""From lock_acquire to lock_release of an HGEI control's lock, if it was not contended."""
cross_calls = _between(
    {kernel.CallQueued: lambda _, queued: (queued.cpu, queued.call)},
    {kernel.CallEntry: lambda event, begun: (event.record.cpu, begun.call)},
)
"""From queueing a function for another CPU to its start there."""
sweeps = _between({kernel.CallEntry: _sweeping_cpu}, {kernel.CallExit: _sweeping_cpu})
"""From the start of imsic_vsfile_local_read in an IPI to its end."""
wake_ups = _between(
    {kernel.Waking: lambda _, waking: waking.pid}, {kernel.Wakeup: lambda _, woken: woken.pid}
)
"""From sched_waking of a thread to sched_wakeup: try_to_wake_up."""


def calls(function: str) -> Callable[[Iterable[Interval]], Iterator[int]]:
    """Make the measure from the entry of a function to its return."""

    def durations(intervals: Iterable[Interval]) -> Iterator[int]:
        for call in intervals:
            if call.function == function and not call.is_open:
                yield duration(call)

    return durations


def duration(call: Interval) -> int:
    """The duration of a call with both of its ends in the trace."""
    return call.last.record.time_ns - call.first.record.time_ns


def until_sweep(events: Events) -> Iterator[int]:
    """From the (un)mapping of a page to the sweep of the old VS-file: fences, then the IPI."""
    for mapped, swept, _ in _takeovers(events):
        yield swept - mapped


def since_sweep(events: Events) -> Iterator[int]:
    """From the sweep to the free of its line: reading all registers, and the IPI's way back."""
    for _, swept, freed in _takeovers(events):
        yield freed - swept


def ipi_round_trips(events: Events) -> Iterator[int]:
    """From the (un)mapping of a page to the free of the old line."""
    for mapped, _, freed in _takeovers(events):
        yield freed - mapped


def _takeovers(events: Events) -> Iterator[tuple[int, int, int]]:
    """When a thread (un)mapped a page, when a VS-file was swept, when the thread freed its line."""
    mapped: dict[int, int] = {}
    swept: dict[tuple[int, int], int] = {}
    for event in events:
        match event:
            case Lost():
                mapped.clear()
                swept.clear()
            case Event(record, kvm.Map() | kvm.Unmap()):
                mapped[event.thread] = record.time_ns
            case Event(record, kvm.Sweep(line=line)):
                swept[record.cpu, line] = record.time_ns
            case Event(record, kvm.Free(cpu=cpu, line=line)):
                begin_ns = mapped.pop(event.thread, None)
                at_ns = swept.pop((cpu, line), None)
                if begin_ns is not None and at_ns is not None and at_ns >= begin_ns:
                    yield begin_ns, at_ns, record.time_ns


def idle_wake_ups(events: Events) -> Iterator[int]:
    """From the kick of a blocked vCPU on an idle CPU to its load there: wake-up and switch."""
    kicked: dict[str, tuple[int, int]] = {}
    for event in events:
        match event:
            case Lost():
                kicked.clear()
            case Event(record, kvm.Kick(vcpu=vcpu, cpu=-1)) if record.pid == 0:
                kicked[vcpu] = record.cpu, record.time_ns
            case Event(record, kvm.Load(vcpu=vcpu)):
                cpu, begin_ns = kicked.pop(vcpu, (-1, 0))
                if cpu == record.cpu:
                    yield record.time_ns - begin_ns


def switches(events: Events) -> Iterator[int]:
    """From the put of a blocking vCPU to the load, on the same CPU, of one woken before that."""
    put: dict[int, tuple[int, frozenset[str]]] = {}
    blocked: set[str] = set()
    woken: set[str] = set()
    for event in events:
        match event:
            case Lost():
                put.clear()
                blocked.clear()
                woken.clear()
            case Event(_, kvm.Wakeon(vcpu=vcpu, enabled=1)):
                blocked.add(vcpu)
            case Event(_, kvm.Kick(vcpu=vcpu)) if vcpu in blocked:
                woken.add(vcpu)
            case Event(record, kvm.Put(vcpu=vcpu)):
                put.pop(record.cpu, None)
                if vcpu in blocked - woken:
                    put[record.cpu] = record.time_ns, frozenset(woken)
            case Event(record, kvm.Load(vcpu=vcpu)):
                begin_ns, ready = put.pop(record.cpu, (0, frozenset[str]()))
                if vcpu in ready & woken:
                    yield record.time_ns - begin_ns
                blocked.discard(vcpu)
                woken.discard(vcpu)


def teardowns(events: Events) -> Iterator[int]:
    """Between two frees by a thread that destroys one vCPU after another."""
    freed: dict[int, int] = {}
    for event in events:
        match event:
            case Lost():
                freed.clear()
            case Event(record, kvm.Free()):
                if event.thread in freed:
                    yield record.time_ns - freed[event.thread]
                freed[event.thread] = record.time_ns
            case Event(_, kvm.Alloc() | kvm.Run() | kvm.Release() | kvm.Disable() | kvm.Sweep()):
                freed.pop(event.thread, None)
            case _:
                pass


def migrations(events: Events) -> Iterator[int]:
    """From the entry of an allocation for a vCPU with a line elsewhere to its guest entry."""
    begun: dict[int, int] = {}
    for event in events:
        match event:
            case Lost():
                begun.clear()
            case Event(record, kvm.Alloc(old_cpu=old_cpu)):
                begun.pop(event.thread, None)
                if old_cpu is not None and old_cpu >= 0:
                    begun[event.thread] = record.time_ns
            case Event(_, kvm.AllocReturn(result=result)) if result <= 0:
                begun.pop(event.thread, None)
            case Event(record, kvm.Run()):
                begin_ns = begun.pop(event.thread, None)
                if begin_ns is not None:
                    yield record.time_ns - begin_ns


def takedowns(intervals: Iterable[Interval]) -> Iterator[int]:
    """Duration of the CPU hotplug callback that stops all CPUs."""
    for call in intervals:
        step = call.first.meaning
        if isinstance(step, kernel.HotplugStep) and step.function == TAKEDOWN and not call.is_open:
            yield duration(call)


def callbacks(intervals: Iterable[Interval]) -> Iterator[int]:
    """CPU hotplug callbacks before KVM's, down or up: from the start of the first to KVM's.

    The model spends one cost on all of them together.
    """
    begun: dict[int, tuple[int, int | None]] = {}
    for call in intervals:
        step = call.first.meaning
        if not isinstance(step, kernel.HotplugStep):
            continue
        at_ns = call.first.record.time_ns
        target, first_ns = begun.get(step.cpu, (-1, None))
        if target != step.target:
            first_ns = at_ns
        if step.function in KVM_CALLBACKS and first_ns is not None:
            if first_ns < at_ns:
                yield at_ns - first_ns
            first_ns = None
        begun[step.cpu] = step.target, first_ns


class Measure(NamedTuple):
    """A kind of duration, and the `entry` of the timing table that it measures ("" for none).

    `how` says in words where it begins and ends; `at_most` means that it includes more than the
    cost itself.  `events` are the events that it needs, by their built-in names.  `of` takes the
    events of a trace, or its calls if `by_call`.
    """

    name: str
    entry: str
    how: str
    at_most: bool
    events: tuple[str, ...]
    of: Callable[[Any], Iterator[int]]
    by_call: bool = False


MEASURES = (
    Measure(
        "hold", "raw_spin_lock",
        "hgctrl->lock, lock_acquire to lock_release: taking and holding it", True,
        ("lock_acquire", "lock_release"), holds,
    ),
    Measure(
        "cross_call", "ipi", "csd_queue_cpu to csd_function_entry on the other CPU", False,
        ("csd_queue_cpu", "csd_function_entry"), cross_calls,
    ),
    Measure(
        "until_sweep", "ipi", "ioremap or iounmap to lread; includes fences", True,
        ("ioremap", "lread", "free"), until_sweep,
    ),
    Measure(
        "sweep", "vsfile_sweep", "imsic_vsfile_local_read, csd_function_entry to _exit", False,
        ("csd_function_entry", "csd_function_exit"), sweeps,
    ),
    Measure(
        "since_sweep", "vsfile_sweep", "lread to free; includes the IPI's way back", True,
        ("ioremap", "lread", "free"), since_sweep,
    ),
    Measure(
        "wake", "wake_up", "sched_waking to sched_wakeup", False,
        ("sched_waking", "sched_wakeup"), wake_ups,
    ),
    Measure(
        "idle_wake", "wake_up", "kick on an idle CPU to vload there; includes the switch",
        True, ("kick", "vload"), idle_wake_ups,
    ),
    Measure(
        "switch", "context_switch", "vput of a blocking vCPU to vload of the next, already woken",
        True, ("wakeon", "kick", "vput", "vload"), switches,
    ),
    Measure(
        "teardown", "vm_teardown", "free to free, by a thread that destroys vCPUs", True,
        ("free",), teardowns,
    ),
    Measure(
        "takedown", "stop_machine", "cpuhp callback takedown_cpu: stop_machine and a wait", True,
        ("cpuhp_enter", "cpuhp_exit"), takedowns, by_call=True,
    ),
    Measure(
        "callbacks", "cpuhp_state", "cpuhp callbacks before KVM's, from the first in the trace",
        False, ("cpuhp_enter",), callbacks, by_call=True,
    ),
    Measure(
        "alloc", "", "kvm_riscv_aia_alloc_hgei, entry to return", False,
        ("alloc", "alloc_ret"), calls("alloc"), by_call=True,
    ),
    Measure(
        "free", "", "kvm_riscv_aia_free_hgei, entry to return", False,
        ("free", "free_ret"), calls("free"), by_call=True,
    ),
    Measure(
        "ipi_round_trip", "", "ioremap or iounmap to free: fences, IPI, sweep, and back", False,
        ("ioremap", "lread", "free"), ipi_round_trips,
    ),
    Measure(
        "migration", "", "alloc of a vCPU with a line elsewhere to its guest entry", False,
        ("alloc", "alloc_ret", "run"), migrations,
    ),
    Measure(
        "update", "", "imsic_update, entry to return", False,
        ("upd", "upd_ret"), calls("upd"), by_call=True,
    ),
    Measure(
        "release", "", "imsic_release, entry to return", False,
        ("rel", "rel_ret"), calls("rel"), by_call=True,
    ),
    Measure(
        "disable", "", "kvm_riscv_aia_disable, entry to return", False,
        ("dis", "dis_ret"), calls("dis"), by_call=True,
    ),
    Measure(
        "enable", "", "kvm_riscv_aia_enable, entry to return", False,
        ("en", "en_ret"), calls("en"), by_call=True,
    ),
)  # fmt: skip
"""Everything that is measured.  Of several measures for one entry, the first with times counts."""
