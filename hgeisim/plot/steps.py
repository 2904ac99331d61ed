"""The occupancy of one HART as numbers to draw or to add up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hgeisim.record.timeline import BUSY_BITS, BUSY_MAX, Timeline
from hgeisim.record.windows import Windows


@dataclass(frozen=True)
class Steps:
    """`busy[i]` lines are taken from `edges_ns[i]` to `edges_ns[i + 1]`; `lines` are there."""

    edges_ns: NDArray[np.int64]
    busy: NDArray[np.int64]
    lines: int

    @property
    def exhausted(self) -> Windows:
        """When no line was left (or more were taken than there are)."""
        return _windows(self.edges_ns, self.busy >= self.lines)

    @property
    def beyond(self) -> Windows:
        """When more lines were taken than there are."""
        return _windows(self.edges_ns, self.busy > self.lines)

    @property
    def exhausted_share(self) -> float:
        """Share of the time with no line left, 0..1; 0 for a run that took no time."""
        whole = int(self.edges_ns[-1] - self.edges_ns[0])
        return sum(end - start for start, end in self.exhausted) / whole if whole else 0.0

    @property
    def busy_max(self) -> int:
        """Most lines that were ever taken at once."""
        return int(self.busy.max())


def steps_of_harts(timeline: Timeline) -> list[Steps]:
    """Return the steps of every HART, from 0 to the end of the recording.

    A step that lasts no time is left out.
    """
    end = timeline.last_ns
    made = []
    for packed, hart in zip(timeline.occupancy, timeline.topology.harts, strict=True):
        records = np.array(packed, dtype=np.int64)
        edges = np.concatenate(([0], records >> BUSY_BITS, [end]))
        lasts = np.diff(edges) > 0
        lasts[-1] |= not lasts.any()
        busy = np.concatenate(([0], records & BUSY_MAX))
        made.append(Steps(np.append(edges[:-1][lasts], end), busy[lasts], hart.lines))
    return made


def _windows(edges_ns: NDArray[np.int64], holds: NDArray[np.bool_]) -> Windows:
    """Join the neighbouring steps in which something holds."""
    changes = np.diff(np.concatenate(([False], holds, [False])).astype(np.int8))
    starts, ends = edges_ns[np.flatnonzero(changes == 1)], edges_ns[np.flatnonzero(changes == -1)]
    spans = zip(starts.tolist(), ends.tolist(), strict=True)
    return [(start, end) for start, end in spans if end > start]
