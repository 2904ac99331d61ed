"""A trace, read whole: extent, events, intervals, occupancy, machine.

Windows of a trace may have been joined: nothing in the file says so but the time.  Seconds without
a record are a joint.  A shorter pause may be a machine that sleeps; it is a joint only if what
follows proves that records are missing: a CPU that went offline before it has guests after it, and
was not enabled.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path

from hgeisim.errors import InputError, Problem
from hgeisim.runs.timeline import TIME_NS_MAX
from hgeisim.trace import kvm_event as kvm
from hgeisim.trace.event_names import Events
from hgeisim.trace.ftrace import ALL_CPUS, Entry, Header, Lost, Record, read_ftrace
from hgeisim.trace.interval import Event, Interval, events_of, in_order, intervals_of
from hgeisim.trace.line_history import FOLLOWED, follow_lines
from hgeisim.trace.occupancy import Machine, Moment, Occupancy, machine_of

JOINT_NS = 2_000_000_000
"""No CPU has a record for longer than this: a joint."""
PAUSE_NS = 300_000_000
"""For longer than this: one if it is proven."""
_OF_GUESTS = (kvm.Alloc, kvm.Update, kvm.Run)


class Joint(Lost):
    """Two windows of a trace were joined before this line."""


class Pause(Lost):
    """No CPU has a record for a while before this line."""


def pauses_marked(entries: Iterable[Entry]) -> Iterator[Entry]:
    """Mark where no CPU has a record for long."""
    last_ns: int | None = None
    for entry in entries:
        if isinstance(entry, Record):
            without_ns = 0 if last_ns is None else entry.time_ns - last_ns
            if without_ns > PAUSE_NS:
                mark = Joint if without_ns > JOINT_NS else Pause
                yield mark(entry.line, ALL_CPUS, None)
            last_ns = max(entry.time_ns, last_ns or 0)
        yield entry


def joints_only(events: Sequence[Event | Lost]) -> Iterator[Event | Lost]:
    """Drop the pauses that are not proven to be joints."""
    off: set[int] = set()
    for at, event in enumerate(events):
        if isinstance(event, Event):
            _note_hotplug(off, event)
            yield event
        elif not isinstance(event, Pause):
            off = set()
            yield event
        elif _has_guests(off, events[at + 1 :]):
            off = set()
            yield Joint(*event)


def _note_hotplug(off: set[int], event: Event) -> None:
    """Keep account of the CPUs that are disabled."""
    if isinstance(event.meaning, kvm.Disable):
        off.add(event.record.cpu)
    elif isinstance(event.meaning, kvm.Enable):
        off.discard(event.record.cpu)


def _has_guests(off: set[int], events: Sequence[Event | Lost]) -> bool:
    """Whether a CPU that is off has guests before it is enabled, or anything else is missing."""
    off = set(off)
    for event in takewhile(lambda each: isinstance(each, Event), events if off else ()):
        if isinstance(event, Event):
            _note_hotplug(off, event)
            if event.record.cpu in off and isinstance(event.meaning, _OF_GUESTS):
                return True
    return False


Progress = Callable[[int], None]
"""Called now and then with the number of records read, or of events followed."""

_PROGRESS_EVERY = 1 << 14
_TELLING = (kvm.AllocReturn, kvm.Free, kvm.FreeReturn, kvm.Release, kvm.Sgei)
"""Without one of these there is nothing to import."""


@dataclass
class Extent:
    """What a file holds: `holes` are the places where events were lost."""

    records: int = 0
    headers: int = 0
    holes: int = 0
    cpus: int = 0
    first_ns: int = 0
    last_ns: int = 0
    last_line: int = 0

    def measured(self, entries: Iterable[Entry], progress: Progress | None) -> Iterator[Entry]:
        """Pass entries on, and keep count."""
        for entry in entries:
            if isinstance(entry, Record):
                self._add(entry)
                if progress and self.records % _PROGRESS_EVERY == 0:
                    progress(self.records)
            elif isinstance(entry, Header):
                self.headers += 1
            else:
                self.holes += 1
            yield entry

    def _add(self, record: Record) -> None:
        time_ns = record.time_ns
        self.last_ns = max(time_ns, self.last_ns)
        if not self.records or time_ns < self.first_ns:
            self.first_ns = time_ns
        if record.cpu >= self.cpus:
            self.cpus = record.cpu + 1
        self.records += 1
        self.last_line = record.line


@dataclass
class Imported:
    """A trace, read whole; `file` is its name without the folder, `joints` are the lines before
    which windows of it were joined."""

    file: str
    extent: Extent
    occupancy: Occupancy
    machine: Machine
    intervals: list[Interval] = field(default_factory=list)
    joints: tuple[int, ...] = ()


@contextmanager
def without_collection() -> Iterator[None]:
    """Hold the cycle collector off: what is read has no cycles, and looking for some among
    millions of events again and again takes as long as reading them."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def read_events(
    path: Path,
    table: Events,
    extent: Extent,
    wanted: Collection[type[kvm.Meaning]] = (),
    progress: Progress | None = None,
) -> list[Event | Lost]:
    """Read the events of a trace that are wanted (nothing: all), in order of time, and where some
    are lost or windows were joined; `extent` counts what the file holds."""
    entries = pauses_marked(extent.measured(read_ftrace(path), progress))
    return list(joints_only(in_order(events_of(entries, table, str(path), wanted))))


def import_trace(
    path: Path, table: Events, lines: Sequence[int] = (), progress: Progress | None = None
) -> Imported:
    """Read a trace whole; `lines` are those of each HART, if the user knows them.

    InputError: see `read_ftrace` and `Events.decode`; or no event in it tells of lines.
    """
    with without_collection():
        return _imported(path, table, lines, progress)


def _imported(
    path: Path, table: Events, lines: Sequence[int], progress: Progress | None
) -> Imported:
    file, extent = str(path), Extent()
    events = read_events(path, table, extent, FOLLOWED, progress)
    told = [event for event in events if isinstance(event, Event)]
    if not any(isinstance(event.meaning, _TELLING) for event in told):
        raise InputError([_nothing_told(file, extent, table)])
    if extent.last_ns - extent.first_ns > TIME_NS_MAX:
        raise InputError([_too_long(file, extent)])
    intervals = intervals_of(events)
    begin, end = Moment(extent.first_ns, 0), Moment(extent.last_ns, extent.last_line)
    occupancy = follow_lines(events, intervals, begin, end)
    harts = max(extent.cpus, occupancy.highest_hart + 1)
    machine = machine_of(occupancy, harts, path.name, lines)
    joints = tuple(event.line for event in events if isinstance(event, Joint))
    return Imported(path.name, extent, occupancy, machine, intervals, joints)


def _nothing_told(file: str, extent: Extent, table: Events) -> Problem:
    names = [event for event, cls in table.meaning.items() if cls in _TELLING]
    allowed = f"has {extent.records:,} records, but none of {', '.join(names)}"
    return Problem(file, "", "", allowed, "--events FILE.toml gives other names")


def _too_long(file: str, extent: Extent) -> Problem:
    days = (extent.last_ns - extent.first_ns) // (86_400 * 10**9)
    allowed = f"is of {days:,} days; a trace of {TIME_NS_MAX // (86_400 * 10**9)} can be read"
    return Problem(file, "", "", allowed, "a time in it is damaged, or two traces were joined")
