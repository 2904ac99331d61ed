"""The records of a timeline as CSV: one line for each, in the order in which they happened."""

from __future__ import annotations

import re
from collections.abc import Callable

from hgeisim.errors import Problem
from hgeisim.record.arrays import occupancy_columns
from hgeisim.record.timeline import BUSY_BITS, BUSY_MAX, EVENT_NAMES, Timeline

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
