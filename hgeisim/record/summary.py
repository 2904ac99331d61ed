"""A timeline in numbers: for each HART, how full it was and what happened there."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hgeisim.record.timeline import EVENT_NAMES, Timeline

COUNTED = ("alloc", "fail", "free", "sgei", "release")


def hart_summaries(timeline: Timeline) -> list[dict[str, Any]]:
    """One record for each HART.

    `lines` and `guest_files` as the machine has them; `busy_max` and `busy_mean` taken lines, the
    mean over time; `exhausted` the fraction of the time with no line left (0..1, also for a HART
    without lines); then the number of each event in `COUNTED`.
    """
    counts = _event_counts(timeline)
    return [
        {
            "hart": hart,
            "lines": spec.lines,
            "guest_files": spec.guest_files,
            **_occupancy(timeline, hart, spec.lines),
            **{name: counts.get((hart, name), 0) for name in COUNTED},
        }
        for hart, spec in enumerate(timeline.topology.harts)
    ]


def _occupancy(timeline: Timeline, hart: int, lines: int) -> dict[str, Any]:
    steps = [*timeline.steps(hart), (timeline.end_ns, 0)]
    spans = [(after - now, busy) for (now, busy), (after, _) in pairwise(steps)]
    total_ns = timeline.end_ns or 1
    return {
        "busy_max": max((busy for _, busy in spans), default=0),
        "busy_mean": round(sum(ns * busy for ns, busy in spans) / total_ns, 6),
        "exhausted": round(sum(ns for ns, busy in spans if busy >= lines) / total_ns, 6),
    }


def _event_counts(timeline: Timeline) -> dict[tuple[int, str], int]:
    counts: dict[tuple[int, str], int] = {}
    for kind, hart in zip(timeline.event_kind, timeline.event_hart, strict=True):
        key = hart, EVENT_NAMES[kind]
        counts[key] = counts.get(key, 0) + 1
    return counts
