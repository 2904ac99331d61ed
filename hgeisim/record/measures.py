"""The tables of a run in numbers, for `summary.json`."""

from __future__ import annotations

from typing import Any

import numpy as np

from hgeisim.record.arrays import Column
from hgeisim.record.locks import NAMES, LockUse
from hgeisim.record.spans import SPAN_NAMES
from hgeisim.record.table import Records
from hgeisim.record.tables import Tables
from hgeisim.record.timeline import Timeline
from hgeisim.record.vcpu_time import STATE_NAMES
from hgeisim.record.windows import offline_windows

QUANTILES = {"p50_ns": 50, "p90_ns": 90, "p99_ns": 99, "max_ns": 100}
"""In percent, by nearest rank: a time that really occurred."""


def measures(timeline: Timeline, tables: Tables) -> dict[str, Any]:
    """Return what the tables tell in all; empty when no tables were recorded.

    `spans`: for each kind how many, and how long they took; `vcpus`: how many, and the sum of their
    time by state; `locks`: waits and holds by class; `offline`: hotplug windows.
    """
    if not {"spans", "vcpus", "locks"} <= tables.keys():
        return {}
    return {
        "spans": {name: spread(durations(tables["spans"], name)) for name in SPAN_NAMES},
        "vcpus": vcpu_totals(tables["vcpus"]),
        "locks": lock_totals(tables["locks"]),
        "offline": [
            {"hart": hart, "start_ns": start, "end_ns": end}
            for hart, windows in enumerate(offline_windows(timeline))
            for start, end in windows
        ],
    }


def durations(spans: Records, kind: str) -> Column:
    """Return how long each span of a kind took, sorted."""
    mine = spans[spans["kind"] == kind]
    lasted: Column = np.sort(mine["end_ns"] - mine["start_ns"])
    return lasted


def spread(sorted_ns: Column) -> dict[str, int]:
    """Count, mean and quantiles in whole ns; only the count when there are none."""
    count = len(sorted_ns)
    if not count:
        return {"count": 0}
    found = {name: int(sorted_ns[-(-count * q // 100) - 1]) for name, q in QUANTILES.items()}
    return {"count": count, "mean_ns": int(sorted_ns.sum()) // count, **found}


def vcpu_totals(vcpus: Records) -> dict[str, int]:
    """Number of vCPUs, their lives added up, and the same split by state."""
    lives = int((vcpus["end_ns"] - vcpus["born_ns"]).sum())
    states = {f"{name}_ns": int(vcpus[f"{name}_ns"].sum()) for name in STATE_NAMES}
    return {"count": len(vcpus), "life_ns": lives, **states}


def lock_totals(locks: Records) -> dict[str, dict[str, int]]:
    """Waits and holds of all locks of a class together, readers included."""
    found: dict[str, LockUse] = {}
    for _, lock_class, *counters in locks.tolist():
        found.setdefault(lock_class, LockUse()).add(LockUse(*counters))
    return {name: dict(zip(NAMES, use.row(), strict=True)) for name, use in found.items()}
