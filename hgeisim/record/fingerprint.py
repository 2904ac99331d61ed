"""One short word that stands for everything a run recorded."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator
from hashlib import blake2b

from hgeisim.record.timeline import Timeline

DIGEST_BYTES = 8


def fingerprint(timeline: Timeline) -> str:
    """Return 16 hex digits that change whenever a record, or the end of the run, changes.

    Each column goes in with its name and length, as little-endian 64-bit integers, so that the
    same run has the same fingerprint on every machine.
    """
    digest = blake2b(digest_size=DIGEST_BYTES)
    for name, column in columns(timeline):
        digest.update(f"{name}:{len(column)}\n".encode())
        digest.update(_little_endian(column))
    return digest.hexdigest()


def columns(timeline: Timeline) -> Iterator[tuple[str, array[int]]]:
    """Yield every column of a timeline with its name, and its end as a column of one."""
    yield "end_ns", array("q", [timeline.end_ns])
    yield "occupancy_time_ns", timeline.occupancy_time_ns
    yield "occupancy_hart", timeline.occupancy_hart
    yield "occupancy_busy", timeline.occupancy_busy
    yield "event_time_ns", timeline.event_time_ns
    yield "event_kind", timeline.event_kind
    yield "event_hart", timeline.event_hart
    yield "event_vcpu", timeline.event_vcpu
    yield "event_line", timeline.event_line


def _little_endian(column: array[int]) -> bytes:
    wide = array("q", column)
    if sys.byteorder == "big":
        wide.byteswap()
    return wide.tobytes()
