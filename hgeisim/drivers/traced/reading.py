"""A trace as the traced driver needs it: its events, where some are lost, and its machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hgeisim.drivers.traced.world import FOLLOWED
from hgeisim.errors import InputError, Problem
from hgeisim.machine.topology import Topology
from hgeisim.trace import follow
from hgeisim.trace import meaning as kvm
from hgeisim.trace.events import Events
from hgeisim.trace.ftrace import Lost
from hgeisim.trace.imported import Extent, read_events, without_collection
from hgeisim.trace.interval import Event, intervals_of
from hgeisim.trace.machine import machine_of
from hgeisim.trace.ownership import Moment

Progress = Callable[[int], None]
"""Is told now and then how many records were read, or events followed."""

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
        events = read_events(path, table, extent, (*follow.FOLLOWED, *FOLLOWED), progress)
    if not any(isinstance(event, Event) and isinstance(event.meaning, _CALLED) for event in events):
        raise InputError([_nothing_to_follow(file, extent, table)])
    begin, end = Moment(extent.first_ns, 0), Moment(extent.last_ns, extent.last_line)
    occupancy = follow.follow(events, intervals_of(events), begin, end)
    harts = max(extent.cpus, occupancy.highest_hart + 1)
    machine = machine_of(occupancy, harts, path.name, lines)
    return Trace(path.name, events, machine.topology, machine.proven)


def _nothing_to_follow(file: str, extent: Extent, table: Events) -> Problem:
    names = [event for event, cls in table.meaning.items() if cls in _CALLED]
    allowed = f"has {extent.records:,} records, but none of {', '.join(names)}"
    return Problem(file, "", "", allowed, "--events FILE.toml tells other names")


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
