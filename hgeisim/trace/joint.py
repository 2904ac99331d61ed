"""Where windows of a trace were joined: nothing in the file says so but the time.

Seconds without a record are a joint.  A shorter pause may be a machine that sleeps; it is a joint
only if what follows proves that records are missing: a CPU that went offline before it has guests
after it, and was not enabled.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import takewhile

from hgeisim.trace import meaning as kvm
from hgeisim.trace.ftrace import ALL_CPUS, Entry, Lost, Record
from hgeisim.trace.interval import Event

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
