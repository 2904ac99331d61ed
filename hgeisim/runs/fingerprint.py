"""The fingerprint of a run: one short word for everything that it recorded."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from hashlib import blake2b

import numpy as np

from hgeisim.runs.timeline import Column, Timeline, occupancy_columns

DIGEST_BYTES = 8


def fingerprint(timeline: Timeline) -> str:
    """Return 16 hex digits that change whenever a record, or the end of the run, changes.

    Each column goes in with its name and length, as little-endian 64-bit integers, so that the
    same run has the same fingerprint on every machine.
    """
    digest = blake2b(digest_size=DIGEST_BYTES)
    for name, column in columns(timeline):
        digest.update(f"{name}:{len(column)}\n".encode())
        digest.update(column.astype("<i8").tobytes())
    return digest.hexdigest()


def columns(timeline: Timeline) -> Iterator[tuple[str, Column]]:
    """Yield every column of a timeline with its name, and its end as a column of one."""
    yield "end_ns", np.array([timeline.end_ns], dtype=np.int64)
    names = ("occupancy_time_ns", "occupancy_hart", "occupancy_busy")
    yield from zip(names, occupancy_columns(timeline), strict=True)
    yield "event_time_ns", _whole(timeline.event_time_ns)
    yield "event_kind", _whole(timeline.event_kind)
    yield "event_hart", _whole(timeline.event_hart)
    yield "event_vcpu", _whole(timeline.event_vcpu)
    yield "event_line", _whole(timeline.event_line)


def _whole(column: array[int]) -> Column:
    return np.array(column, dtype=np.int64)
