"""A timeline as numpy arrays, in one order: by time, at the same time by HART."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from hgeisim.record.timeline import BUSY_BITS, BUSY_MAX, EVENT_NAMES, Timeline

Records: TypeAlias = NDArray[np.void]
"""A structured array: `records["time_ns"]` is a column, `records[0]` a record."""
Column: TypeAlias = NDArray[np.int64]

OCCUPANCY = np.dtype([("time_ns", "i8"), ("hart", "i4"), ("busy", "i4")])
EVENTS = np.dtype(
    [("time_ns", "i8"), ("event", "U7"), ("hart", "i4"), ("vcpu", "i4"), ("line", "i4")]
)


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
    time_ns, hart, busy = occupancy_columns(timeline)
    made = np.empty(len(time_ns), OCCUPANCY)
    made["time_ns"], made["hart"], made["busy"] = time_ns, hart, busy
    return made


def event_records(timeline: Timeline) -> Records:
    """Return the events as records of type `EVENTS`, each with the name of its kind."""
    made = np.empty(len(timeline.event_time_ns), EVENTS)
    made["time_ns"], made["hart"] = timeline.event_time_ns, timeline.event_hart
    made["vcpu"], made["line"] = timeline.event_vcpu, timeline.event_line
    made["event"] = np.array(EVENT_NAMES)[np.array(timeline.event_kind, dtype=np.int64)]
    return made
