"""When each function ran: its entry and its return, put together thread by thread.

A probe at entry fires before the function takes a lock, one at return after it dropped it; so what
the function did, it did somewhere in its interval.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from hgeisim.errors import ModelError
from hgeisim.trace import kernel_event as kernel
from hgeisim.trace import kvm_event as kvm
from hgeisim.trace.event_names import Events
from hgeisim.trace.ftrace import ALL_CPUS, Entry, Lost, Record
from hgeisim.trace.kvm_event import Meaning


class Event(NamedTuple):
    """A record and what it says."""

    record: Record
    meaning: Meaning

    @property
    def thread(self) -> int:
        """The thread: its pid, or for idle tasks, which all have pid 0, -1 - CPU."""
        return self.record.pid or -1 - self.record.cpu


class Gap(Enum):
    """Why an interval has only one end."""

    NONE = ""
    BEFORE = "before the trace"
    AFTER = "after the trace"
    LOST = "events were lost"
    UNRECORDED = "not recorded"


class Function(NamedTuple):
    """A function with probes at entry and return, and the functions that it may call."""

    name: str
    entry: type[Meaning]
    exit: type[Meaning]
    calls: tuple[str, ...] = ()


FUNCTIONS = (
    Function("alloc", kvm.Alloc, kvm.AllocReturn),
    Function("free", kvm.Free, kvm.FreeReturn),
    Function("upd", kvm.Update, kvm.UpdateReturn, ("alloc", "rel", "free")),
    Function("rel", kvm.Release, kvm.ReleaseReturn, ("free",)),
    Function("dis", kvm.Disable, kvm.DisableReturn, ("rel", "free")),
    Function("en", kvm.Enable, kvm.EnableReturn),
    Function("cpuhp", kernel.HotplugStep, kernel.HotplugStepReturn, ("dis", "rel", "free", "en")),
)
_BY_ENTRY = {function.entry: function for function in FUNCTIONS}
_BY_EXIT = {function.exit: function for function in FUNCTIONS}


@dataclass(eq=False, slots=True)
class Interval:
    """One call: `start` is None when the entry is not in the trace, `end` when the return is not.

    `parent` is the call of the same thread inside which it was made; `gap` tells what became of a
    missing end.
    """

    function: str
    start: Event | None
    end: Event | None
    parent: Interval | None
    gap: Gap = Gap.NONE

    @property
    def first(self) -> Event:
        """The entry, or the return if only that is there."""
        event = self.start or self.end
        if event is None:
            raise ModelError("an interval is made of an event")
        return event

    @property
    def last(self) -> Event:
        """The return, or the entry if only that is there."""
        return self.end or self.first

    @property
    def is_open(self) -> bool:
        """Whether one end is not in the trace."""
        return self.gap is not Gap.NONE

    def inside(self, function: str) -> Interval | None:
        """The call of `function` inside which this one was made, if any."""
        above = self.parent
        while above is not None and above.function != function:
            above = above.parent
        return above


def events_of(
    entries: Iterable[Entry], table: Events, file: str, only: Collection[type[Meaning]] = ()
) -> Iterator[Event | Lost]:
    """Yield what the entries of a trace say, and where events are lost; others are left out.

    `only` names the meanings that are wanted; nothing: all.  InputError: a record of such an event
    that cannot be read.
    """
    unwanted = {event for event, cls in table.meaning.items() if only and cls not in only}
    for entry in entries:
        if isinstance(entry, Record):
            if entry.event not in unwanted and (meaning := table.decode(entry, file)) is not None:
                yield Event(entry, meaning)
        elif isinstance(entry, Lost):
            yield entry


def in_order(events: Iterable[Event | Lost]) -> list[Event | Lost]:
    """Sort by time, then by line: ftrace may print CPUs a little out of step.

    A hole has the time of the event before it.
    """
    found: list[Event | Lost] = []
    times_ns: list[int] = []
    now_ns, ordered = 0, True
    for event in events:
        if isinstance(event, Event):
            time_ns = event.record.time_ns
            ordered = ordered and time_ns >= now_ns
            now_ns = time_ns
        found.append(event)
        times_ns.append(now_ns)
    if ordered:
        return found
    return [found[at] for at in sorted(range(len(found)), key=times_ns.__getitem__)]


def intervals_of(events: Iterable[Event | Lost]) -> list[Interval]:
    """Pair the events, which stand in order of time; the intervals are in that order, too.

    No event is dropped: a call whose other end is missing is kept, and open.
    """
    pairing = _Pairing()
    for event in events:
        if isinstance(event, Lost):
            pairing.lost(event)
        elif function := _BY_ENTRY.get(type(event.meaning)):
            pairing.enter(function, event)
        elif function := _BY_EXIT.get(type(event.meaning)):
            pairing.leave(function, event)
    return pairing.finish()


class _Pairing:
    """The calls under way: a stack for each thread."""

    def __init__(self) -> None:
        self.intervals: list[Interval] = []
        self.stacks: dict[int, list[Interval]] = {}
        self.last_line: dict[int, int] = {}
        self.lost_line = 0
        self.returning: set[str] = set()

    def enter(self, function: Function, event: Event) -> None:
        stack = self._room_for(function, event)
        stack.append(self._interval(function, event, None, stack))

    def leave(self, function: Function, event: Event) -> None:
        self.returning.add(function.name)
        stack = self.stacks.get(event.thread, [])
        if any(_ends(event, interval) for interval in stack):
            while not _ends(event, interval := stack.pop()):
                self._give_up(interval)
            interval.end = event
        else:
            gap = self._why_no_entry(event)
            stack = self._room_for(function, event)
            self._interval(function, None, event, stack).gap = gap
        self.last_line[event.thread] = event.record.line

    def lost(self, marker: Lost) -> None:
        """End what may have ended in the hole, for its return would not be told from another's."""
        self.lost_line = marker.line
        for stack in self.stacks.values():
            while stack and any(marker.cpu in (ALL_CPUS, i.first.record.cpu) for i in stack):
                stack.pop().gap = Gap.LOST

    def finish(self) -> list[Interval]:
        for stack in self.stacks.values():
            for interval in stack:
                interval.gap = Gap.AFTER
        for interval in self.intervals:
            if interval.end is None and interval.function not in self.returning:
                interval.gap = Gap.UNRECORDED
        return self.intervals

    def _room_for(self, function: Function, event: Event) -> list[Interval]:
        """Give up the calls of a thread that cannot have called this function."""
        self.last_line[event.thread] = event.record.line
        stack = self.stacks.setdefault(event.thread, [])
        while stack and function.name not in _CALLS[stack[-1].function]:
            self._give_up(stack.pop())
        return stack

    def _interval(
        self, function: Function, start: Event | None, end: Event | None, stack: list[Interval]
    ) -> Interval:
        made = Interval(function.name, start, end, stack[-1] if stack else None)
        self.intervals.append(made)
        return made

    def _give_up(self, interval: Interval) -> None:
        lost = self.lost_line > interval.first.record.line
        interval.gap = Gap.LOST if lost else Gap.UNRECORDED

    def _why_no_entry(self, event: Event) -> Gap:
        before = self.last_line.get(event.thread, 0)
        if self.lost_line > before:
            return Gap.LOST
        return Gap.UNRECORDED if before else Gap.BEFORE


_CALLS = {function.name: function.calls for function in FUNCTIONS}


def _ends(event: Event, interval: Interval) -> bool:
    """Whether a return is that of this call; a hotplug step tells its number at both ends."""
    if _BY_EXIT[type(event.meaning)].name != interval.function:
        return False
    begun = interval.start.meaning if interval.start else None
    if isinstance(begun, kernel.HotplugStep) and isinstance(
        event.meaning, kernel.HotplugStepReturn
    ):
        return begun.step == event.meaning.step
    return True
