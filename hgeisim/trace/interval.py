"""Intervals in which functions ran: entries paired with returns, thread by thread.

A probe at entry fires before the function takes a lock, and one at return after it drops it, so
the function took effect somewhere within its interval.
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
    """A record and its meaning."""

    record: Record
    meaning: Meaning

    @property
    def thread(self) -> int:
        """The thread: its pid; idle tasks all have pid 0, so theirs is -1 - CPU."""
        return self.record.pid or -1 - self.record.cpu


class Gap(Enum):
    """The reason why an interval has only one end."""

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
    """One call: `start` is None if the entry is not in the trace, `end` if the return is not.

    `parent` is the call of the same thread that made this one; `gap` is the reason of a missing
    end.
    """

    function: str
    start: Event | None
    end: Event | None
    parent: Interval | None
    gap: Gap = Gap.NONE

    @property
    def first(self) -> Event:
        """The entry, or the return if the entry is missing."""
        event = self.start or self.end
        if event is None:
            raise ModelError("an interval has at least one event")
        return event

    @property
    def last(self) -> Event:
        """The return, or the entry if the return is missing."""
        return self.end or self.first

    @property
    def is_open(self) -> bool:
        """Whether one end is not in the trace."""
        return self.gap is not Gap.NONE

    def inside(self, function: str) -> Interval | None:
        """The call of `function` that this one was made in, if any."""
        above = self.parent
        while above is not None and above.function != function:
            above = above.parent
        return above


def events_of(
    entries: Iterable[Entry], table: Events, file: str, only: Collection[type[Meaning]] = ()
) -> Iterator[Event | Lost]:
    """Yield the events of a trace's entries, and the places where events were lost.

    `only` are the wanted meanings; if it is empty, all are.  InputError: a record of such an event
    cannot be read.
    """
    unwanted = {event for event, cls in table.meaning.items() if only and cls not in only}
    for entry in entries:
        if isinstance(entry, Record):
            if entry.event not in unwanted and (meaning := table.decode(entry, file)) is not None:
                yield Event(entry, meaning)
        elif isinstance(entry, Lost):
            yield entry


def in_order(events: Iterable[Event | Lost]) -> list[Event | Lost]:
    """Sort by time, then by line, since ftrace may print CPUs a little out of step.

    A hole counts as having the time of the event before it.
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
    """Pair the entries and returns in events that are in order of time, as the intervals are then.

    No event is dropped: a call with a missing end is kept, as an open one.
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
        callers = self._callers(function, event)
        callers.append(self._interval(function, event, None, callers))

    def leave(self, function: Function, event: Event) -> None:
        self.returning.add(function.name)
        stack = self.stacks.get(event.thread, [])
        if any(_ends(event, interval) for interval in stack):
            while not _ends(event, interval := stack.pop()):
                self._give_up(interval)
            interval.end = event
        else:
            before = self.last_line.get(event.thread, 0)
            gap = Gap.UNRECORDED if before else Gap.BEFORE
            callers = self._callers(function, event)
            interval = self._interval(function, None, event, callers)
            interval.gap = Gap.LOST if self.lost_line > before else gap
        self.last_line[event.thread] = event.record.line

    def lost(self, marker: Lost) -> None:
        """Close the calls that may have ended in a hole: a later return may be another call's."""
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

    def _callers(self, function: Function, event: Event) -> list[Interval]:
        """The calls around a call of this function; those that cannot make it are given up."""
        self.last_line[event.thread] = event.record.line
        stack = self.stacks.setdefault(event.thread, [])
        while stack and function.name not in _CALLS[stack[-1].function]:
            self._give_up(stack.pop())
        return stack

    def _interval(
        self, function: Function, start: Event | None, end: Event | None, callers: list[Interval]
    ) -> Interval:
        made = Interval(function.name, start, end, callers[-1] if callers else None)
        self.intervals.append(made)
        return made

    def _give_up(self, interval: Interval) -> None:
        lost = self.lost_line > interval.first.record.line
        interval.gap = Gap.LOST if lost else Gap.UNRECORDED


_CALLS = {function.name: function.calls for function in FUNCTIONS}


def _ends(event: Event, interval: Interval) -> bool:
    """Whether a return is that of this call; a hotplug step has its number at both ends."""
    if _BY_EXIT[type(event.meaning)].name != interval.function:
        return False
    entry, exit_ = interval.start and interval.start.meaning, event.meaning
    if isinstance(entry, kernel.HotplugStep) and isinstance(exit_, kernel.HotplugStepReturn):
        return entry.step == exit_.step
    return True
