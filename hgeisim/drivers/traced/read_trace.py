"""A trace as the traced driver needs it: its events, its holes and its machine.

`offer_of` lists the checks that can be made along a trace, which depends on the events in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hgeisim.checks.catalogue import At, Offer
from hgeisim.drivers.traced import lost_wakeup
from hgeisim.drivers.traced.booted_kernel import FOLLOWED
from hgeisim.machine.topology import Topology
from hgeisim.trace import kvm_event as kvm
from hgeisim.trace import line_history
from hgeisim.trace.event_names import Events
from hgeisim.trace.ftrace import Lost
from hgeisim.trace.import_trace import (
    Extent,
    Progress,
    lines_and_machine,
    read_events,
    require,
    without_collection,
)
from hgeisim.trace.interval import Event, intervals_of

_CALLED = (kvm.Alloc, kvm.Free, kvm.Release, kvm.Disable, kvm.Enable, kvm.Update, kvm.Run)
"""A trace with none of these has nothing to follow."""


@dataclass(frozen=True)
class Trace:
    """The events of a file, in order of time; `file` is its name without the folder.

    `proven` says for each HART of the topology whether its number of lines is known.
    """

    file: str
    events: list[Event | Lost]
    topology: Topology
    proven: tuple[bool, ...]


def read_trace(
    path: Path, table: Events, lines: Sequence[int] = (), progress: Progress | None = None
) -> Trace:
    """Read a trace; `lines` are those of each HART, if the user knows them.

    InputError: see `read_ftrace` and `Events.decode`; or the trace has no event to follow.
    """
    extent = Extent()
    with without_collection():
        events = read_events(path, table, extent, (*line_history.FOLLOWED, *FOLLOWED), progress)
    require(_CALLED, events, path, table, extent)
    _, machine = lines_and_machine(events, intervals_of(events), extent, path.name, lines)
    return Trace(path.name, events, machine.topology, machine.proven)


def stretches(events: Sequence[Event | Lost]) -> Iterator[tuple[Lost | None, list[Event]]]:
    """Split a trace where events were lost; yield each hole and the stretch after it.

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
"""The kinds of finding that the driver itself makes, and the events that each one needs."""
ENTERED = (kvm.Run, kvm.Wakeon)
"""The events that show that a guest was entered: it waits for an interrupt afterwards."""
TRACED = Offer((At.STATE, At.ENTERED), tuple(NEEDED), never=("foreign-vsfile", "irq-freed-enabled"))
"""The moments of checks along a trace: after every event, and where a guest is entered.  A trace
never stops in the middle of an access to a VS-file, and the module is never unloaded."""


def offer_of(trace: Trace) -> Offer:
    """The checks that a trace can fail: none that needs events which it does not have."""
    there = {type(event.meaning) for event in trace.events if isinstance(event, Event)}
    kinds = (kind for kind, needed in NEEDED.items() if there.issuperset(needed))
    unseen = () if there.issuperset(ENTERED) else ("guest-line",)
    return TRACED._replace(kinds=tuple(kinds), never=(*TRACED.never, *unseen))
