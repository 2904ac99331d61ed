"""The import of a whole trace: its extent, events, calls, occupancy and machine.

A file may be several windows of a trace, joined; only the times in it show that.  Seconds without a
record are a joint.  A shorter pause may come from a sleeping machine; it is a joint only if later
events prove that records are missing: a CPU that went offline before the pause has guests after it,
and was not enabled in between.
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
"""A longer time without a record of any CPU is a joint."""
PAUSE_NS = 300_000_000
"""A longer time without a record is a pause, and a joint if that is proven."""
_OF_GUESTS = (kvm.Alloc, kvm.Update, kvm.Run)


class Joint(Lost):
    """A joint of two windows of a trace, before this line."""


class Pause(Lost):
    """A pause before this line: no CPU has a record for a while."""


def pauses_marked(entries: Iterable[Entry]) -> Iterator[Entry]:
    """Insert a mark wherever no CPU has a record for long."""
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
    """Update the set of CPUs that are disabled."""
    if isinstance(event.meaning, kvm.Disable):
        off.add(event.record.cpu)
    elif isinstance(event.meaning, kvm.Enable):
        off.discard(event.record.cpu)


def _has_guests(off: set[int], events: Sequence[Event | Lost]) -> bool:
    """Whether a CPU that is off has guests before it is enabled, and before the next hole."""
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
_IMPORTABLE = (kvm.AllocReturn, kvm.Free, kvm.FreeReturn, kvm.Release, kvm.Sgei)
"""A trace with none of these has nothing to import."""


@dataclass
class Extent:
    """The size and times of a file; `holes` counts the places where events were lost."""

    records: int = 0
    headers: int = 0
    holes: int = 0
    cpus: int = 0
    first_ns: int = 0
    last_ns: int = 0
    last_line: int = 0

    def measured(self, entries: Iterable[Entry], progress: Progress | None) -> Iterator[Entry]:
        """Pass entries on, and count them."""
        for entry in entries:
            if isinstance(entry, Record):
                time_ns = entry.time_ns
                self.last_ns = max(time_ns, self.last_ns)
                if not self.records or time_ns < self.first_ns:
                    self.first_ns = time_ns
                if entry.cpu >= self.cpus:
                    self.cpus = entry.cpu + 1
                self.records += 1
                self.last_line = entry.line
                if progress and self.records % _PROGRESS_EVERY == 0:
                    progress(self.records)
            elif isinstance(entry, Header):
                self.headers += 1
            else:
                self.holes += 1
            yield entry


@dataclass
class Imported:
    """A whole trace that was read; `file` is its name without the folder.

    `joints` are the lines before which windows were joined.
    """

    file: str
    extent: Extent
    occupancy: Occupancy
    machine: Machine
    intervals: list[Interval] = field(default_factory=list)
    joints: tuple[int, ...] = ()


@contextmanager
def without_collection() -> Iterator[None]:
    """Switch the cycle collector off: a trace has no cycles, and searching millions of events for
    them again and again takes as long as reading the trace."""
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
    """Read the wanted events of a trace (all if `wanted` is empty) and its holes, in order of time.

    `extent` is filled in on the way.
    """
    entries = pauses_marked(extent.measured(read_ftrace(path), progress))
    return list(joints_only(in_order(events_of(entries, table, str(path), wanted))))


def import_trace(
    path: Path, table: Events, lines: Sequence[int] = (), progress: Progress | None = None
) -> Imported:
    """Read a whole trace; `lines` are those of each HART, if the user knows them.

    InputError: see `read_ftrace` and `Events.decode`; or no event in it concerns lines.
    """
    extent = Extent()
    with without_collection():
        events = read_events(path, table, extent, FOLLOWED, progress)
        require(_IMPORTABLE, events, path, table, extent)
        if (span_ns := extent.last_ns - extent.first_ns) > TIME_NS_MAX:
            days, most = (ns // (86_400 * 10**9) for ns in (span_ns, TIME_NS_MAX))
            allowed = f"spans {days:,} days; a trace may span {most}"
            remedy = "a time in it is damaged, or two traces were joined"
            raise InputError([Problem(str(path), "", "", allowed, remedy)])
        intervals = intervals_of(events)
        occupancy, machine = lines_and_machine(events, intervals, extent, path.name, lines)
        joints = tuple(event.line for event in events if isinstance(event, Joint))
        return Imported(path.name, extent, occupancy, machine, intervals, joints)


def require(
    meanings: tuple[type[kvm.Meaning], ...],
    events: Iterable[Event | Lost],
    path: Path,
    table: Events,
    extent: Extent,
) -> None:
    """Raise InputError unless an event of a trace has one of these meanings."""
    if any(isinstance(event, Event) and isinstance(event.meaning, meanings) for event in events):
        return
    names = ", ".join(event for event, cls in table.meaning.items() if cls in meanings)
    allowed = f"has {extent.records:,} records, but none of {names}"
    raise InputError([Problem(str(path), "", "", allowed, "--events FILE.toml gives other names")])


def lines_and_machine(
    events: Sequence[Event | Lost],
    intervals: Sequence[Interval],
    extent: Extent,
    source: str,
    lines: Sequence[int],
) -> tuple[Occupancy, Machine]:
    """The occupancy of the lines in a whole trace, and the machine that it shows."""
    begin, end = Moment(extent.first_ns, 0), Moment(extent.last_ns, extent.last_line)
    occupancy = follow_lines(events, intervals, begin, end)
    harts = max(extent.cpus, occupancy.highest_hart + 1)
    return occupancy, machine_of(occupancy, harts, source, lines)
