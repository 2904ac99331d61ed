"""A timeline as numpy arrays, in one order: by time, at the same time by HART."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from hgeisim.record.table import Records, dtype, records
from hgeisim.record.timeline import BUSY_BITS, BUSY_MAX, EVENT_NAMES, Timeline

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
