"""Occupancy and events of one run: in columns, as numpy records, and as CSV.

Numpy arrays are in one order: by time, at the same time by HART.  A CSV has one line for each
record, in the order in which they happened.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from hgeisim.errors import Problem
from hgeisim.machine.topology import Topology
from hgeisim.runs.tables import Records, dtype, records

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
    lines of the HART when a kernel hands out lines that do not exist.  `usable`: how many lines of
    each HART exist and may be handed out by the kernel.  `off_at_first`: which HARTs have no HGEI
    at the start, being offline, or as nobody has turned virtualization on yet.
    `events`: one record for each `EVENT_NAMES` entry (`time_ns`, `kind`, `hart`, `vcpu`, `line`);
    `vcpu` and `line` are 0 where they mean nothing.  Times are integer nanoseconds, in order.
    """

    def __init__(self, topology: Topology) -> None:
        self.topology = topology
        self.usable = [hart.lines for hart in topology.harts]
        self.off_at_first = [False for _ in topology.harts]
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


Column: TypeAlias = NDArray[np.int64]

OCCUPANCY = dtype(time_ns="int", hart="small", busy="small")
EVENTS = dtype(time_ns="int", event="text", hart="small", vcpu="small", line="small")


def occupancy_columns(timeline: Timeline) -> tuple[Column, Column, Column]:
    """Return time_ns, hart and busy of each change of a HART's taken lines."""
    packed = np.concatenate([np.array(each, dtype=np.int64) for each in timeline.occupancy])
    sizes = [len(each) for each in timeline.occupancy]
    hart = np.repeat(np.arange(len(sizes), dtype=np.int64), sizes)
    time_ns = packed >> BUSY_BITS
    order = np.lexsort((hart, time_ns))
    return time_ns[order], hart[order], (packed & BUSY_MAX)[order]


def occupancy_records(timeline: Timeline) -> Records:
    """Return the changes of occupancy as records of type `OCCUPANCY`."""
    return records(OCCUPANCY, *occupancy_columns(timeline))


def event_records(timeline: Timeline) -> Records:
    """Return the events as records of type `EVENTS`, each with the name of its kind."""
    names = np.array(EVENT_NAMES, dtype=object)[np.array(timeline.event_kind, dtype=np.int64)]
    where = (timeline.event_hart, timeline.event_vcpu, timeline.event_line)
    return records(EVENTS, timeline.event_time_ns, names, *where)


OCCUPANCY_HEAD = "time_ns,hart,busy"
EVENTS_HEAD = "time_ns,event,hart,vcpu,line"
_PROBLEMS_MAX = 10
_WHOLE = re.compile(r"-?[0-9]{1,18}").fullmatch
_KINDS = {name: kind for kind, name in enumerate(EVENT_NAMES)}


def occupancy_csv(timeline: Timeline) -> str:
    """Write the changes of occupancy."""
    records = zip(*(column.tolist() for column in occupancy_columns(timeline)), strict=True)
    return "\n".join([OCCUPANCY_HEAD, *(f"{at},{hart},{busy}" for at, hart, busy in records), ""])


def events_csv(timeline: Timeline) -> str:
    """Write the events, each kind by its name in `EVENT_NAMES`."""
    records = zip(
        timeline.event_time_ns,
        timeline.event_kind,
        timeline.event_hart,
        timeline.event_vcpu,
        timeline.event_line,
        strict=True,
    )
    lines = (
        f"{at},{EVENT_NAMES[kind]},{hart},{vcpu},{line}" for at, kind, hart, vcpu, line in records
    )
    return "\n".join([EVENTS_HEAD, *lines, ""])


def read_occupancy(timeline: Timeline, file: str, text: str) -> list[Problem]:
    """Add the records of an occupancy CSV; `file` is its name in the problems that are found."""
    last_ns = 0

    def take(line: str) -> None:
        nonlocal last_ns
        at, hart, busy = _integers(line.split(","), OCCUPANCY_HEAD)
        _check_hart(timeline, hart)
        _check_order(last_ns, at)
        if not 0 <= busy <= BUSY_MAX:
            raise OverflowError
        last_ns = at
        timeline.busy_at[hart] = busy
        timeline.occupancy[hart].append(at << BUSY_BITS | busy)

    return _read(file, text, OCCUPANCY_HEAD, take)


def read_events(timeline: Timeline, file: str, text: str) -> list[Problem]:
    """Add the records of an events CSV; `file` is its name in the problems that are found."""
    last_ns = 0

    def take(line: str) -> None:
        nonlocal last_ns
        cells = line.split(",")
        kind = _KINDS.get("".join(cells[1:2]))
        if kind is None:
            raise ValueError(f"the event must be one of {', '.join(EVENT_NAMES)}")
        cells[1] = str(kind)
        at, _, hart, vcpu, line_taken = _integers(cells, EVENTS_HEAD)
        _check_hart(timeline, hart)
        _check_order(last_ns, at)
        last_ns = at
        timeline.event(at, kind, hart, vcpu, line_taken)

    return _read(file, text, EVENTS_HEAD, take)


def _read(file: str, text: str, head: str, take: Callable[[str], None]) -> list[Problem]:
    lines = text.split("\n")
    problems = []
    if lines[0] != head:
        problems.append(Problem(file, "line 1", repr(lines[0]), f"must be '{head}'"))
    if lines[-1]:
        where = f"line {len(lines)}"
        problems.append(
            Problem(file, where, repr(lines[-1]), "is cut short: it has no end of line")
        )
    for number, line in enumerate(lines[1:-1], start=2):
        if len(problems) >= _PROBLEMS_MAX:
            problems.append(Problem(file, f"line {number}", "", "reading stopped here"))
            break
        try:
            take(line)
        except ValueError as error:
            problems.append(Problem(file, f"line {number}", repr(line), str(error)))
        except OverflowError:
            problems.append(Problem(file, f"line {number}", repr(line), "a number is out of range"))
    return problems


def _integers(cells: list[str], head: str) -> list[int]:
    if len(cells) != head.count(",") + 1 or not all(map(_WHOLE, cells)):
        raise ValueError(f"must be {head} in whole numbers")
    return [int(cell) for cell in cells]


def _check_hart(timeline: Timeline, hart: int) -> None:
    if not 0 <= hart < len(timeline.topology.harts):
        raise ValueError(f"hart must be 0..{len(timeline.topology.harts) - 1}")


def _check_order(before_ns: int, at_ns: int) -> None:
    """Compare with the line before only, so that one wrong line is one problem."""
    if at_ns < 0:
        raise ValueError("time_ns must be 0 or more")
    if at_ns < before_ns:
        raise ValueError(f"the line before it is of a later time, {before_ns}")
