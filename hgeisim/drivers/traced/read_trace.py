"""A trace as the traced driver needs it: its events, where some are lost, and its machine.

With it, the checks that can be made along it: `offer_of` says what can show in a trace, by the
events that it has.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hgeisim.checks.catalogue import At, Offer
from hgeisim.drivers.traced import lost_wakeup
from hgeisim.drivers.traced.booted_kernel import FOLLOWED
from hgeisim.errors import InputError, Problem
from hgeisim.machine.topology import Topology
from hgeisim.trace import kvm_event as kvm
from hgeisim.trace import line_history
from hgeisim.trace.event_names import Events
from hgeisim.trace.ftrace import Lost
from hgeisim.trace.import_trace import Extent, Progress, read_events, without_collection
from hgeisim.trace.interval import Event, intervals_of
from hgeisim.trace.occupancy import Moment, machine_of

_CALLED = (kvm.Alloc, kvm.Free, kvm.Release, kvm.Disable, kvm.Enable, kvm.Update, kvm.Run)
"""Without one of these there is nothing to follow."""


@dataclass(frozen=True)
class Trace:
    """What a file tells, in order of time; `file` is its name without the folder.

    `proven` is, for each HART of the topology, whether its number of lines is known.
    """

    file: str
    events: list[Event | Lost]
    topology: Topology
    proven: tuple[bool, ...]


def read_trace(
    path: Path, table: Events, lines: Sequence[int] = (), progress: Progress | None = None
) -> Trace:
    """Read a trace; `lines` are those of each HART, if the user knows them.

    InputError: see `read_ftrace` and `Events.decode`; or no event in it is one to follow.
    """
    file, extent = str(path), Extent()
    with without_collection():
        events = read_events(path, table, extent, (*line_history.FOLLOWED, *FOLLOWED), progress)
    if not any(isinstance(event, Event) and isinstance(event.meaning, _CALLED) for event in events):
        raise InputError([_nothing_to_follow(file, extent, table)])
    begin, end = Moment(extent.first_ns, 0), Moment(extent.last_ns, extent.last_line)
    occupancy = line_history.follow_lines(events, intervals_of(events), begin, end)
    harts = max(extent.cpus, occupancy.highest_hart + 1)
    machine = machine_of(occupancy, harts, path.name, lines)
    return Trace(path.name, events, machine.topology, machine.proven)


def _nothing_to_follow(file: str, extent: Extent, table: Events) -> Problem:
    names = [event for event, cls in table.meaning.items() if cls in _CALLED]
    allowed = f"has {extent.records:,} records, but none of {', '.join(names)}"
    return Problem(file, "", "", allowed, "--events FILE.toml gives other names")


def stretches(events: Sequence[Event | Lost]) -> Iterator[tuple[Lost | None, list[Event]]]:
    """Split a trace where events were lost; yield each hole and what comes after it.

    The first stretch has no hole before it.
    """
    hole: Lost | None = None
    stretch: list[Event] = []
    for event in events:
        if isinstance(event, Event):
            stretch.append(event)
            continue
        yield hole, stretch
        hole, stretch = event, []
    yield hole, stretch


NEEDED: dict[str, tuple[type[kvm.Meaning], ...]] = {
    "double-free": (kvm.Free,),
    "stale-armed": (kvm.Wakeon, kvm.Sgei),
    "lost-wakeup": lost_wakeup.NEEDED,
}
"""The events by which the follower itself finds something, by kind."""
ENTERED = (kvm.Run, kvm.Wakeon)
"""A guest was entered if it waits for an interrupt afterwards."""
TRACED = Offer((At.STATE, At.ENTERED), tuple(NEEDED), never=("foreign-vsfile", "irq-freed-enabled"))
"""What is asked along a trace: after every event, and where a guest is entered.  No VS-file is in
the middle of an access there, and the module is never unloaded."""


def offer_of(trace: Trace) -> Offer:
    """What can show in a trace: nothing whose events it does not have."""
    there = {type(event.meaning) for event in trace.events if isinstance(event, Event)}
    kinds = (kind for kind, needed in NEEDED.items() if there.issuperset(needed))
    unseen = () if there.issuperset(ENTERED) else ("guest-line",)
    return TRACED._replace(kinds=tuple(kinds), never=(*TRACED.never, *unseen))
