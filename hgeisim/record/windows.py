"""When a HART had no HGEI."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import TypeAlias

from hgeisim.record.timeline import OFFLINE, ONLINE, Timeline

Windows: TypeAlias = list[tuple[int, int]]
"""Half-open spans of time in ns, in order, none empty, none touching the next."""


def all_at_once(windows: Sequence[Windows]) -> bool:
    """Say whether there is a moment in a window of every HART; hotplug leaves one HART online, so
    then KVM had no VM."""
    starts = [(start, 1) for each in windows for start, _ in each]
    ends = [(end, -1) for each in windows for _, end in each]
    open_at_once = accumulate(step for _, step in sorted(starts + ends))
    return max(open_at_once, default=0) == len(windows)


def offline_windows(timeline: Timeline) -> list[Windows]:
    """Return for each HART when it had no HGEI, by its OFFLINE and ONLINE events: CPU hotplug does
    so, and KVM without a VM where it is not enabled at load."""
    windows: list[Windows] = [[] for _ in timeline.topology.harts]
    since: dict[int, int] = {}
    for at, kind, hart in zip(
        timeline.event_time_ns, timeline.event_kind, timeline.event_hart, strict=True
    ):
        if kind == OFFLINE:
            since.setdefault(hart, at)
        elif kind == ONLINE and hart in since:
            windows[hart].append((since.pop(hart), at))
    for hart, start in since.items():
        windows[hart].append((start, timeline.last_ns))
    return windows
