"""When a HART had no HGEI."""

from __future__ import annotations

from typing import TypeAlias

from hgeisim.record.timeline import OFFLINE, ONLINE, Timeline

Windows: TypeAlias = list[tuple[int, int]]
"""Half-open spans of time in ns, in order, none empty, none touching the next."""


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
