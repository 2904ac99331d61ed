"""The history of each line: the events and calls of a trace are followed once, in order of time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from operator import itemgetter
from typing import Any, TypeVar

from hgeisim.errors import ModelError
from hgeisim.trace import kvm_event as kvm
from hgeisim.trace.ftrace import Lost
from hgeisim.trace.interval import Event, Interval
from hgeisim.trace.occupancy import (
    Allocation,
    Freed,
    Lines,
    Moment,
    Occupancy,
    Released,
    Sgei,
    Vcpu,
    Window,
)

T = TypeVar("T")

FOLLOWED = (
    *(kvm.Alloc, kvm.AllocReturn, kvm.Free, kvm.FreeReturn, kvm.Sgei, kvm.Map),
    *(kvm.Update, kvm.UpdateReturn, kvm.Release, kvm.ReleaseReturn, kvm.Run, kvm.Load, kvm.Inject),
    *(kvm.Disable, kvm.DisableReturn, kvm.Enable, kvm.EnableReturn),
)
"""Meanings that tell of lines, their owners and their HARTs."""

_Note = Callable[[Any, Moment], None]
_Item = tuple[int, int, _Note, Any]
"""When and where in the file; what to do, and with what: an event, a call or a hole."""


def follow_lines(
    events: Sequence[Event | Lost], intervals: Sequence[Interval], begin: Moment, end: Moment
) -> Occupancy:
    """Follow the lines through a trace that lasts from `begin` to `end`.

    `events` and `intervals` stand in order of time; what is done at the end of an interval is
    sorted in.
    """
    following = _Following(begin, end)
    agenda = [*following.from_events(events), *following.from_intervals(intervals)]
    for time_ns, line, act, what in sorted(agenda, key=itemgetter(0, 1)):
        act(what, Moment(time_ns, line))
    return following.finish()


class _Following:
    """What is known at one moment of the trace."""

    def __init__(self, begin: Moment, end: Moment) -> None:
        self.result = Occupancy(begin, end)
        self.lines = Lines(begin)
        self.vcpus: dict[str, Vcpu] = {}
        self.of_thread: dict[int, str] = {}
        self.unmapped: dict[int, tuple[int, int]] = {}
        self.off_since: dict[int, Moment | None] = {}

    def from_events(self, events: Sequence[Event | Lost]) -> Iterator[_Item]:
        """What to do at events that mean something by themselves."""
        acts: dict[type, _Note] = {
            kvm.Alloc: self._alloc,
            kvm.Update: self._update,
            kvm.Release: self._release,
            kvm.Run: self._run,
            kvm.Load: self._load,
            kvm.Inject: self._inject,
            kvm.Sgei: self._sgei,
            kvm.Map: self._map,
        }
        now_ns = self.result.begin.time_ns
        for event in events:
            if isinstance(event, Lost):
                yield now_ns, event.line, self._lost, event
                continue
            now_ns = event.record.time_ns
            if act := acts.get(type(event.meaning)):
                yield now_ns, event.record.line, act, event

    def from_intervals(self, intervals: Sequence[Interval]) -> Iterator[_Item]:
        """What to do at that end of a call at which its effect is counted."""
        acts: dict[str, tuple[_Note, bool]] = {
            "alloc": (self._allocated, False),
            "free": (self._freed, True),
            "rel": (self._released, False),
            "dis": (self._disabled, True),
            "en": (self._enabled, False),
        }
        for call in intervals:
            if found := acts.get(call.function):
                act, at_entry = found
                record = (call.first if at_entry else call.last).record
                yield record.time_ns, record.line, act, call

    def finish(self) -> Occupancy:
        """End what is still going on."""
        result = self.result
        open_windows = [(hart, since) for hart, since in self.off_since.items() if since]
        result.windows += [Window(hart, since, None) for hart, since in open_windows]
        result.vcpus = list(self.vcpus.values())
        result.ownerships, result.doubts = self.lines.ownerships, self.lines.doubts
        return result

    def _alloc(self, event: Event, at: Moment) -> None:
        told = _told(event, kvm.Alloc)
        vcpu = self._thread_of(event, told.vcpu)
        self._seen(at, told.old_cpu, told.old_line, vcpu)

    def _allocated(self, call: Interval, at: Moment) -> None:
        asked = call.start.meaning if call.start else None
        answer = call.last.meaning
        if not isinstance(answer, kvm.AllocReturn):
            self.result.unanswered += 1
            return
        hart: int = call.last.record.cpu
        old_hart: int | None = None
        pointer = answer.vcpu or self.of_thread.get(call.last.thread)
        if isinstance(asked, kvm.Alloc):
            hart, pointer, old_hart = max(asked.cpu, 0), asked.vcpu, asked.old_cpu
        vcpu = self._number(pointer)
        if old_hart is None:
            old_hart = self.lines.hart_of(vcpu)
        owned = self.lines.count(hart)
        allocation = Allocation(at, hart, vcpu, answer.result, old_hart, owned)
        self.result.allocations.append(allocation)
        if not allocation.failed:
            self.lines.taken(at, hart, answer.result, vcpu)
            self.unmapped[call.last.thread] = hart, answer.result

    def _freed(self, call: Interval, at: Moment) -> None:
        told = call.first.meaning
        if not isinstance(told, kvm.Free | kvm.FreeReturn):
            raise ModelError("a free interval has one of its events")
        if told.cpu is not None and told.line is not None and min(told.cpu, told.line - 1) >= 0:
            self.result.frees.append(Freed(at, told.cpu, told.line))
            self.lines.freed(at, told.cpu, told.line)

    def _released(self, call: Interval, at: Moment) -> None:
        """Count a release of a VS-file; without one, the function does nothing."""
        told = call.first.meaning
        if isinstance(told, kvm.Release) and told.vsfile_cpu >= 0:
            by_hotplug = call.inside("dis") is not None
            vcpu, line = self._number(told.vcpu), max(told.vsfile_line, 0)
            self.result.releases.append(Released(at, told.vsfile_cpu, vcpu, line, by_hotplug))

    def _update(self, event: Event, at: Moment) -> None:
        told = _told(event, kvm.Update)
        self._seen(at, told.vsfile_cpu, told.vsfile_line, self._thread_of(event, told.vcpu))

    def _release(self, event: Event, at: Moment) -> None:
        told = _told(event, kvm.Release)
        self._seen(at, told.vsfile_cpu, told.vsfile_line, self._number(told.vcpu))

    def _run(self, event: Event, at: Moment) -> None:
        told = _told(event, kvm.Run)
        self._seen(at, told.cpu, told.vgein, self._thread_of(event, told.vcpu))

    def _load(self, event: Event, at: Moment) -> None:
        told = _told(event, kvm.Load)
        self._thread_of(event, told.vcpu)

    def _inject(self, event: Event, at: Moment) -> None:
        """Believe an injection only about lines of which nothing else was told: it takes no lock
        that an allocation holds, and may see a VS-file just before it changes.
        """
        told = _told(event, kvm.Inject)
        if self.lines.is_unheard_of(told.vsfile_cpu, told.vsfile_line):
            self._seen(at, told.vsfile_cpu, told.vsfile_line, self._number(told.vcpu))

    def _sgei(self, event: Event, at: Moment) -> None:
        told = _told(event, kvm.Sgei)
        self.result.sgeis.append(Sgei(at, event.record.cpu, told.mask))

    def _map(self, event: Event, at: Moment) -> None:
        """Note the page of a line: the first that a thread maps after it got the line."""
        told = _told(event, kvm.Map)
        if place := self.unmapped.pop(event.thread, None):
            self.result.pages[place] = told.hpa

    def _disabled(self, call: Interval, at: Moment) -> None:
        hart = call.first.record.cpu
        if since := self.off_since.get(hart):
            self.result.windows.append(Window(hart, since, None))
        self.off_since[hart] = at

    def _enabled(self, call: Interval, at: Moment) -> None:
        hart = call.last.record.cpu
        if hart not in self.off_since or self.off_since[hart]:
            self.result.windows.append(Window(hart, self.off_since.get(hart), at))
        self.off_since[hart] = None

    def _lost(self, hole: Lost, at: Moment) -> None:
        self.lines.unknown_until = at

    def _seen(self, at: Moment, hart: int | None, line: int | None, vcpu: int) -> None:
        if hart is not None and line is not None and hart >= 0 and line > 0:
            self.lines.seen(at, hart, line, vcpu)

    def _thread_of(self, event: Event, pointer: str) -> int:
        """Note that a thread runs a vCPU; return its number."""
        self.of_thread[event.thread] = pointer
        number = self._number(pointer)
        vcpu = self.vcpus[pointer]
        vcpu.comm, vcpu.pid = event.record.comm, event.record.pid
        return number

    def _number(self, pointer: str | None) -> int:
        """The number of a vCPU; 0 for one that is not known."""
        if pointer is None:
            return 0
        vcpu = self.vcpus.get(pointer)
        if vcpu is None:
            vcpu = self.vcpus[pointer] = Vcpu(len(self.vcpus) + 1, pointer)
        return vcpu.number


def _told(event: Event, cls: type[T]) -> T:
    """What an event says, as the class by which it was chosen."""
    if not isinstance(event.meaning, cls):
        raise ModelError("events are looked up by the class of their meaning")
    return event.meaning
