"""The occupancy of each HART as steps to draw or to add up: when it had no line left.

Beside them the windows of time in which a HART had no HGEI at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from hgeisim.runs.timeline import BUSY_BITS, BUSY_MAX, OFFLINE, ONLINE, Timeline

Windows: TypeAlias = list[tuple[int, int]]
"""Half-open spans of time in ns, in order, none empty, none touching the next."""


def all_at_once(windows: Sequence[Windows]) -> bool:
    """Whether there is a moment in a window of every HART.

    Hotplug leaves one HART online, so then KVM had no VM."""
    starts = [(start, 1) for each in windows for start, _ in each]
    ends = [(end, -1) for each in windows for _, end in each]
    open_at_once = accumulate(step for _, step in sorted(starts + ends))
    return max(open_at_once, default=0) == len(windows)


def offline_windows(timeline: Timeline) -> list[Windows]:
    """Return for each HART when it had no HGEI, from the start or by its OFFLINE and ONLINE events:
    CPU hotplug does so, and KVM without a VM where it is not enabled at load."""
    windows: list[Windows] = [[] for _ in timeline.topology.harts]
    since = {hart: 0 for hart, off in enumerate(timeline.off_at_first) if off}
    for at, kind, hart in zip(
        timeline.event_time_ns, timeline.event_kind, timeline.event_hart, strict=True
    ):
        if kind == OFFLINE:
            since.setdefault(hart, at)
        elif kind == ONLINE and hart in since:
            windows[hart].append((since.pop(hart), at))
    for hart, start in since.items():
        windows[hart].append((start, timeline.last_ns))
    return [[(start, end) for start, end in each if end > start] for each in windows]


@dataclass(frozen=True)
class Steps:
    """`busy[i]` lines are taken from `edges_ns[i]` to `edges_ns[i + 1]`.

    `lines` may be handed out, the kernel keeps `withheld` others back; `offline` are the windows in
    which the HART had no HGEI.
    """

    edges_ns: NDArray[np.int64]
    busy: NDArray[np.int64]
    lines: int
    withheld: int = 0
    offline: tuple[tuple[int, int], ...] = ()

    @property
    def name(self) -> str:
        """The lines in a title: "3", or "3 of 7" where some are withheld."""
        return f"{self.lines} of {self.lines + self.withheld}" if self.withheld else f"{self.lines}"

    @property
    def exhausted(self) -> Windows:
        """When no line was left (or more were taken than there are) of a HART that was online and
        has lines at all."""
        full = _windows(self.edges_ns, self.busy >= self.lines) if self.lines else []
        return _without(full, self.offline)

    @property
    def free(self) -> Windows:
        """When a line was free of a HART that was online."""
        return _without(_windows(self.edges_ns, self.busy < self.lines), self.offline)

    @property
    def beyond(self) -> Windows:
        """When more lines were taken than there are."""
        return _windows(self.edges_ns, self.busy > self.lines)

    @property
    def online_ns(self) -> int:
        """How long the HART had HGEI."""
        off_ns = sum(end - start for start, end in self.offline)
        return int(self.edges_ns[-1] - self.edges_ns[0]) - off_ns

    @property
    def exhausted_share(self) -> float:
        """Share of the time online with no line left, 0..1; 0 where there was none."""
        return share_exhausted([self])

    @property
    def busy_max(self) -> int:
        """The most lines that were taken at the same time."""
        return int(self.busy.max())


def share_exhausted(harts: Sequence[Steps]) -> float:
    """Share of the time online with no line left, 0..1, of the HARTs that have lines at all."""
    some = [steps for steps in harts if steps.lines]
    online_ns = sum(steps.online_ns for steps in some)
    exhausted_ns = sum(end - start for steps in some for start, end in steps.exhausted)
    return exhausted_ns / online_ns if online_ns else 0.0


def steps_of_harts(timeline: Timeline) -> list[Steps]:
    """Return the steps of every HART, from 0 to the end of the recording.

    A step that lasts no time is left out.
    """
    end = timeline.last_ns
    made, harts = [], timeline.topology.harts
    rows = zip(timeline.occupancy, timeline.usable, harts, offline_windows(timeline), strict=True)
    for packed, usable, hart, offline in rows:
        records = np.array(packed, dtype=np.int64)
        edges = np.concatenate(([0], records >> BUSY_BITS, [end]))
        lasts = np.diff(edges) > 0
        lasts[-1] |= not lasts.any()
        busy = np.concatenate(([0], records & BUSY_MAX))
        edges = np.append(edges[:-1][lasts], end)
        withheld = max(hart.whole_lines - usable, 0)
        made.append(Steps(edges, busy[lasts], usable, withheld, tuple(offline)))
    return made


def _without(windows: Windows, others: Sequence[tuple[int, int]]) -> Windows:
    """Some windows without the time of others."""
    for begin, finish in others:
        pieces = [((start, min(end, begin)), (max(start, finish), end)) for start, end in windows]
        windows = [(start, end) for pair in pieces for start, end in pair if end > start]
    return windows


def _windows(edges_ns: NDArray[np.int64], holds: NDArray[np.bool_]) -> Windows:
    """Join the neighbouring steps in which something holds."""
    changes = np.diff(np.concatenate(([False], holds, [False])).astype(np.int8))
    starts, ends = edges_ns[np.flatnonzero(changes == 1)], edges_ns[np.flatnonzero(changes == -1)]
    spans = zip(starts.tolist(), ends.tolist(), strict=True)
    return [(start, end) for start, end in spans if end > start]
