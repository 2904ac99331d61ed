"""The history of each line: one pass over the events and calls of a trace, in order of time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from operator import itemgetter
from typing import Any

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

FOLLOWED = (
    *(kvm.Alloc, kvm.AllocReturn, kvm.Free, kvm.FreeReturn, kvm.Sgei, kvm.Map),
    *(kvm.Update, kvm.UpdateReturn, kvm.Release, kvm.ReleaseReturn, kvm.Run, kvm.Load, kvm.Inject),
    *(kvm.Disable, kvm.DisableReturn, kvm.Enable, kvm.EnableReturn),
)
"""Meanings that say something of lines, their owners or their HARTs."""

_Handler = Callable[..., None]
_Item = tuple[int, int, _Handler, tuple[Any, ...]]
"""Time and line of the file; the handler, and its arguments before the `Moment`."""


def follow_lines(
    events: Sequence[Event | Lost], intervals: Sequence[Interval], begin: Moment, end: Moment
) -> Occupancy:
    """Follow the lines through a trace that lasts from `begin` to `end`.

    `events` and `intervals` are in order of time.  A call is sorted in at the end that counts.
    """
    history = _History(begin, end)
    agenda = [*history.of_events(events), *history.of_calls(intervals)]
    for time_ns, line, handle, given in sorted(agenda, key=itemgetter(0, 1)):
        handle(*given, Moment(time_ns, line))
    return history.finish()


class _History:
    """The history of all lines up to one moment of the trace, and its handlers of what is next."""

    def __init__(self, begin: Moment, end: Moment) -> None:
        self.result = Occupancy(begin, end)
        self.lines = Lines(begin)
        self.vcpus: dict[str, Vcpu] = {}
        self.of_thread: dict[int, str] = {}
        self.unmapped: dict[int, tuple[int, int]] = {}
        self.off_since: dict[int, Moment | None] = {}

    def of_events(self, events: Sequence[Event | Lost]) -> Iterator[_Item]:
        """Yield the handlers of events that say something by themselves, and of holes."""
        handlers: dict[type, _Handler] = {
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
                yield now_ns, event.line, self._lost, ()
                continue
            now_ns = event.record.time_ns
            if handle := handlers.get(type(event.meaning)):
                yield now_ns, event.record.line, handle, (event.meaning, event)

    def of_calls(self, intervals: Sequence[Interval]) -> Iterator[_Item]:
        """Yield the handler of each call, at that end of it where its effect counts."""
        handlers: dict[str, tuple[_Handler, bool]] = {
            "alloc": (self._allocated, False),
            "free": (self._freed, True),
            "rel": (self._released, False),
            "dis": (self._disabled, True),
            "en": (self._enabled, False),
        }
        for call in intervals:
            if found := handlers.get(call.function):
                handle, at_entry = found
                record = (call.first if at_entry else call.last).record
                yield record.time_ns, record.line, handle, (call,)

    def finish(self) -> Occupancy:
        """End the windows that are still open, and return the result."""
        result = self.result
        open_windows = [(hart, since) for hart, since in self.off_since.items() if since]
        result.windows += [Window(hart, since, None) for hart, since in open_windows]
        result.vcpus = list(self.vcpus.values())
        result.ownerships, result.doubts = self.lines.ownerships, self.lines.doubts
        return result

    def _alloc(self, alloc: kvm.Alloc, event: Event, at: Moment) -> None:
        vcpu = self._run_by(event, alloc.vcpu)
        self._seen(at, alloc.old_cpu, alloc.old_line, vcpu)

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
        free = call.first.meaning
        if not isinstance(free, kvm.Free | kvm.FreeReturn):
            raise ModelError("a free interval has one of its events")
        if free.cpu is not None and free.line is not None and min(free.cpu, free.line - 1) >= 0:
            self.result.frees.append(Freed(at, free.cpu, free.line))
            self.lines.freed(at, free.cpu, free.line)

    def _released(self, call: Interval, at: Moment) -> None:
        """Count a release of a VS-file; for a vCPU without one, the function does nothing."""
        release = call.first.meaning
        if isinstance(release, kvm.Release) and release.vsfile_cpu >= 0:
            by_hotplug = call.inside("dis") is not None
            vcpu, line = self._number(release.vcpu), max(release.vsfile_line, 0)
            self.result.releases.append(Released(at, release.vsfile_cpu, vcpu, line, by_hotplug))

    def _update(self, update: kvm.Update, event: Event, at: Moment) -> None:
        vcpu = self._run_by(event, update.vcpu)
        self._seen(at, update.vsfile_cpu, update.vsfile_line, vcpu)

    def _release(self, release: kvm.Release, _: Event, at: Moment) -> None:
        self._seen(at, release.vsfile_cpu, release.vsfile_line, self._number(release.vcpu))

    def _run(self, run: kvm.Run, event: Event, at: Moment) -> None:
        self._seen(at, run.cpu, run.vgein, self._run_by(event, run.vcpu))

    def _load(self, load: kvm.Load, event: Event, _: Moment) -> None:
        self._run_by(event, load.vcpu)

    def _inject(self, inject: kvm.Inject, _: Event, at: Moment) -> None:
        """Believe an injection only about a line that no other event has named: it takes no lock
        that an allocation holds, so it may see a VS-file just before that changes.
        """
        if self.lines.is_unseen(inject.vsfile_cpu, inject.vsfile_line):
            self._seen(at, inject.vsfile_cpu, inject.vsfile_line, self._number(inject.vcpu))

    def _sgei(self, sgei: kvm.Sgei, event: Event, at: Moment) -> None:
        self.result.sgeis.append(Sgei(at, event.record.cpu, sgei.mask))

    def _map(self, page: kvm.Map, event: Event, _: Moment) -> None:
        """Note the page of a line: the first that a thread maps after it was given the line."""
        if place := self.unmapped.pop(event.thread, None):
            self.result.pages[place] = page.hpa

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

    def _lost(self, at: Moment) -> None:
        self.lines.unknown_until = at

    def _seen(self, at: Moment, hart: int | None, line: int | None, vcpu: int) -> None:
        if hart is not None and line is not None and hart >= 0 and line > 0:
            self.lines.seen(at, hart, line, vcpu)

    def _run_by(self, event: Event, pointer: str) -> int:
        """Note that the thread of an event runs a vCPU; return the vCPU's number."""
        self.of_thread[event.thread] = pointer
        number = self._number(pointer)
        vcpu = self.vcpus[pointer]
        vcpu.comm, vcpu.pid = event.record.comm, event.record.pid
        return number

    def _number(self, pointer: str | None) -> int:
        """The number of a vCPU; 0 if it is not known."""
        if pointer is None:
            return 0
        vcpu = self.vcpus.get(pointer)
        if vcpu is None:
            vcpu = self.vcpus[pointer] = Vcpu(len(self.vcpus) + 1, pointer)
        return vcpu.number
