"""Occupancy and events of one run, in columns."""

from __future__ import annotations

from array import array
from collections.abc import Iterator

from hgeisim.machine.topology import Topology

ALLOC, FAIL, FREE, SGEI, RELEASE, OFFLINE, ONLINE = range(7)
EVENT_NAMES = ("alloc", "fail", "free", "sgei", "release", "offline", "online")


class Timeline:
    """Everything recorded about the HGEI lines while simulated time went by.

    `occupancy`: one record for each change of a HART's number of taken lines (`time_ns`, `hart`,
    `busy`); `busy` exceeds the lines of the HART when a kernel hands out lines that do not exist.
    `events`: one record for each `EVENT_NAMES` entry (`time_ns`, `kind`, `hart`, `vcpu`, `line`);
    `vcpu` and `line` are 0 where they mean nothing.  Times are integer nanoseconds, in order.
    """

    def __init__(self, topology: Topology) -> None:
        self.topology = topology
        self.end_ns = 0
        self.busy_at: list[int] = [0] * len(topology.harts)
        self.occupancy_time_ns, self.occupancy_hart, self.occupancy_busy = _columns("qHB")
        self.event_time_ns, self.event_kind, self.event_hart, self.event_vcpu, self.event_line = (
            _columns("qBHlB")
        )

    def occupy(self, now_ns: int, hart: int, busy: int) -> None:
        """Note how many lines of a HART are taken from now on."""
        if busy != self.busy_at[hart]:
            self.busy_at[hart] = busy
            self.occupancy_time_ns.append(now_ns)
            self.occupancy_hart.append(hart)
            self.occupancy_busy.append(busy)

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
        for now, who, busy in zip(
            self.occupancy_time_ns, self.occupancy_hart, self.occupancy_busy, strict=True
        ):
            if who == hart:
                yield now, busy


def _columns(codes: str) -> tuple[array[int], ...]:
    return tuple(array(code) for code in codes)
