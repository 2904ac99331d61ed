"""The figures of a run, for `summary.json` and for questions about its tables.

For each HART, its occupancy and its events; the durations of spans; vCPU time by state, and by VM;
waits and holds of locks; the vCPUs that held the lines of a HART while it had none left.

Times of different modes are never mixed, nor are those of interrupts that met their vCPU in its
guest, asleep, or waiting for a HART.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hgeisim.runs.occupancy_steps import Windows, offline_windows, steps_of_harts
from hgeisim.runs.tables import (
    MET_NAMES,
    NAMES,
    SPAN_NAMES,
    STATE_NAMES,
    LockUse,
    Records,
    Tables,
    dtype,
    table_of,
    vcpu_names,
)
from hgeisim.runs.timeline import EVENT_NAMES, Column, Timeline

COUNTED = ("alloc", "fail", "free", "sgei", "release")


def hart_summaries(timeline: Timeline) -> list[dict[str, Any]]:
    """One record for each HART.

    `lines` and `guest_files` as the machine has them; `usable` lines, which exist and which the
    kernel may hand out, and `withheld` ones, which it does not; `busy_max` and `busy_mean` taken
    lines, the mean over time; `online` the fraction of the time in which the HART had HGEI,
    `exhausted` the fraction of that with no line left (0..1, 0 for a HART without usable lines);
    then the number of each event in `COUNTED`.
    """
    counts, steps = _event_counts(timeline), steps_of_harts(timeline)
    return [
        {
            "hart": hart,
            "lines": spec.lines,
            "usable": steps[hart].lines,
            "withheld": steps[hart].withheld,
            "guest_files": spec.guest_files,
            **_occupancy(timeline, hart),
            "online": round(steps[hart].online_ns / (timeline.last_ns or 1), 6),
            "exhausted": round(steps[hart].exhausted_share, 6),
            **{name: counts.get((hart, name), 0) for name in COUNTED},
        }
        for hart, spec in enumerate(timeline.topology.harts)
    ]


def mean_exhausted(harts: Sequence[Mapping[str, Any]]) -> float:
    """The same for several of these records: of the HARTs that have usable lines, by their time
    online."""
    some = [hart for hart in harts if hart["usable"]]
    online = sum(hart["online"] for hart in some)
    return sum(hart["exhausted"] * hart["online"] for hart in some) / online if online else 0.0


def _occupancy(timeline: Timeline, hart: int) -> dict[str, Any]:
    steps = [*timeline.steps(hart), (timeline.end_ns, 0)]
    spans = [(after - now, busy) for (now, busy), (after, _) in pairwise(steps)]
    return {
        "busy_max": max((busy for _, busy in spans), default=0),
        "busy_mean": round(sum(ns * busy for ns, busy in spans) / (timeline.end_ns or 1), 6),
    }


def _event_counts(timeline: Timeline) -> dict[tuple[int, str], int]:
    counts: dict[tuple[int, str], int] = {}
    for kind, hart in zip(timeline.event_kind, timeline.event_hart, strict=True):
        key = hart, EVENT_NAMES[kind]
        counts[key] = counts.get(key, 0) + 1
    return counts


QUANTILES = {"p50_ns": 50, "p90_ns": 90, "p99_ns": 99, "max_ns": 100}
"""In percent, by nearest rank: a time that really occurred."""


def measures(timeline: Timeline, tables: Tables) -> dict[str, Any]:
    """The totals of the tables that were recorded; of a trace there are none.

    `vcpus`: how many, and the sum of their time by state, `vms`: the same for each VM and mode;
    `spans`: for each kind, mode and what was met, how many and how long they took; `locks`: waits
    and holds by class; `offline`: hotplug windows.
    """
    found: dict[str, Any] = {}
    if "asked" in columns(tables, "vcpus"):
        found |= {"vcpus": vcpu_totals(tables["vcpus"]), "vms": vm_totals(tables["vcpus"])}
    if {"spans", "locks"} <= tables.keys():
        found["spans"] = span_totals(tables["spans"], tables["vcpus"])
        found["locks"] = lock_totals(tables["locks"])
        found["offline"] = [
            {"hart": hart, "start_ns": start, "end_ns": end}
            for hart, windows in enumerate(offline_windows(timeline))
            for start, end in windows
        ]
    return found


def columns(tables: Tables, name: str) -> tuple[str, ...]:
    """The columns of a table; none if it was not recorded."""
    return (tables[name].dtype.names or ()) if name in tables else ()


def durations(spans: Records, kind: str, met: str | None = None) -> Column:
    """Return how long each span of a kind took, sorted; of those only that met their vCPU so."""
    mine = spans[spans["kind"] == kind]
    mine = mine if met is None else mine[mine["met"] == met]
    lasted: Column = np.sort(mine["end_ns"] - mine["start_ns"])
    return lasted


def modes_of(spans: Records, vcpus: Records) -> NDArray[np.object_]:
    """The mode of the vCPU of each span; "" where it has none."""
    modes = dict(zip(vcpus["vcpu"].tolist(), vcpus["mode"].tolist(), strict=True))
    return np.array([modes.get(vcpu, "") for vcpu in spans["vcpu"].tolist()], dtype=object)


def span_totals(spans: Records, vcpus: Records) -> list[dict[str, Any]]:
    """One record for each kind, mode and what was met, if there were such spans."""
    modes = modes_of(spans, vcpus)
    found = []
    for kind in SPAN_NAMES:
        alike = spans["kind"] == kind
        for mode, met in product(sorted({*modes[alike].tolist()}), MET_NAMES):
            lasted = durations(spans[alike & (modes == mode)], kind, met)
            if len(lasted):
                found.append({"kind": kind, "mode": mode, "met": met, **spread(lasted)})
    return found


def spread(sorted_ns: Column) -> dict[str, int]:
    """Count, mean and quantiles in whole ns; only the count when there are none."""
    count = len(sorted_ns)
    if not count:
        return {"count": 0}
    found = {name: int(sorted_ns[-(-count * q // 100) - 1]) for name, q in QUANTILES.items()}
    return {"count": count, "mean_ns": int(sorted_ns.sum()) // count, **found}


def vm_totals(vcpus: Records) -> list[dict[str, Any]]:
    """One record for each VM, or all VMs of one [[vm]] table, and mode.

    `mode_granted` differs from `mode_asked` where KVM has refused it (-EINVAL).  `vms` and `count`
    are the numbers of VMs and vCPUs; then their time by state, and the part of the time in the
    guest that was on a VS-file (`vsfile_of_guest`, 0..1; null: no guest ran).
    """
    names = map(table_of, vcpus["vm"].tolist())
    keys = list(zip(names, vcpus["asked"].tolist(), vcpus["mode"].tolist(), strict=True))
    found = []
    for key in dict.fromkeys(keys):
        mine = vcpus[[each == key for each in keys]]
        totals = vcpu_totals(mine)
        guest_ns = totals["vsfile_ns"] + totals["swfile_ns"]
        share = round(totals["vsfile_ns"] / guest_ns, 6) if guest_ns else None
        head = dict(zip(("name", "mode_asked", "mode_granted"), key, strict=True))
        vms = len(np.unique(mine["vm"]))
        found.append({**head, "vms": vms, **totals, "vsfile_of_guest": share})
    return found


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


HOLDERS = dtype(vcpu="small", name="text", lines="small", held_ns="int")


def holders(tables: Tables, hart: int, windows: Windows) -> Records:
    """Return each vCPU that owned lines of a HART during spans of time, the longest first.

    `held_ns` adds up its ownerships inside the windows, `lines` counts the different lines.  While
    a HART is exhausted each of its lines has an owner, so the sum over all vCPUs is the number of
    lines times the length of the windows.
    """
    owners = tables["owners"][tables["owners"]["hart"] == hart]
    held = np.zeros(len(owners), dtype=np.int64)
    for start, end in windows:
        inside = np.minimum(owners["end_ns"], end) - np.maximum(owners["start_ns"], start)
        held += np.maximum(inside, 0)
    names = vcpu_names(tables)
    rows = []
    for vcpu in np.unique(owners["vcpu"][held > 0]).tolist():
        mine = (owners["vcpu"] == vcpu) & (held > 0)
        lines = len(np.unique(owners["line"][mine]))
        rows.append((vcpu, names.get(vcpu, f"vCPU {vcpu}"), lines, int(held[mine].sum())))
    return np.array(sorted(rows, key=lambda row: (-row[3], row[0])), HOLDERS)
