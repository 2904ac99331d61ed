"""Occupancy and events of one run, in columns."""

from __future__ import annotations

from array import array
from collections.abc import Iterator

from hgeisim.machine.topology import Topology

ALLOC, FAIL, FREE, SGEI, RELEASE, OFFLINE, ONLINE = range(7)
EVENT_NAMES = ("alloc", "fail", "free", "sgei", "release", "offline", "online")
BUSY_BITS = 8
"""An occupancy record is `time_ns << BUSY_BITS | busy`."""
BUSY_MAX = (1 << BUSY_BITS) - 1
TIME_NS_MAX = (1 << 63 - BUSY_BITS) - 1
"""The latest time that can be recorded: over 416 days."""


class Timeline:
    """Everything recorded about the HGEI lines while simulated time went by.

    `occupancy`: for each HART a column with one record for each change of its number of taken
    lines: 8 bytes, the time in ns above and `busy` in the lowest `BUSY_BITS`; `busy` exceeds the
    lines of the HART when a kernel hands out lines that do not exist.
    `events`: one record for each `EVENT_NAMES` entry (`time_ns`, `kind`, `hart`, `vcpu`, `line`);
    `vcpu` and `line` are 0 where they mean nothing.  Times are integer nanoseconds, in order.
    """

    def __init__(self, topology: Topology) -> None:
        self.topology = topology
        self.end_ns = 0
        self.busy_at: list[int] = [0] * len(topology.harts)
        self.occupancy: list[array[int]] = [array("q") for _ in topology.harts]
        self.event_time_ns, self.event_kind, self.event_hart, self.event_vcpu, self.event_line = (
            array(code) for code in "qBHiB"
        )

    def occupy(self, now_ns: int, hart: int, busy: int) -> None:
        """Note how many lines of a HART are taken from now on."""
        if busy != self.busy_at[hart]:
            self.busy_at[hart] = busy
            self.occupancy[hart].append(now_ns << BUSY_BITS | busy)

    def event(self, now_ns: int, kind: int, hart: int, vcpu: int = 0, line: int = 0) -> None:
        """Note one event; see `EVENT_NAMES` for the kinds."""
        self.event_time_ns.append(now_ns)
        self.event_kind.append(kind)
        self.event_hart.append(hart)
        self.event_vcpu.append(vcpu)
        self.event_line.append(line)

    def steps(self, hart: int) -> Iterator[tuple[int, int]]:
        """Yield (time_ns, busy) of one HART, starting with (0, 0)."""
        yield 0, 0
        for record in self.occupancy[hart]:
            yield record >> BUSY_BITS, record & BUSY_MAX

    @property
    def last_ns(self) -> int:
        """When the recording ends: the end of the run, or the last record if that is later."""
        last = [column[-1] >> BUSY_BITS for column in self.occupancy if column]
        return max([self.end_ns, *last, *self.event_time_ns[-1:]])
