"""Why a HART had no line left: who held every line, since when, and what for.

All of it is read from the tables of a run folder; nothing is simulated again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hgeisim.errors import InputError, Problem
from hgeisim.runs.occupancy_steps import Windows
from hgeisim.runs.recording import Recording
from hgeisim.runs.tables import Records, Tables, vcpu_names

REFUSALS = ("fallback", "refused")
"""The kinds of spans in which imsic_update got no line: AUTO goes on with its SW-file, HWACCEL
fails the entry."""


@dataclass(frozen=True)
class Holder:
    """A vCPU that held a line of an exhausted HART, `since_ns`, and for `held_ns` of that time.

    `blocked_ns` of it its guest waited for an interrupt, `failed_ns` it was outside of its guest
    for want of a line elsewhere: in both it had no use for the line.
    """

    vcpu: int
    name: str
    line: int
    since_ns: int
    held_ns: int
    blocked_ns: int
    failed_ns: int

    @property
    def idle_ns(self) -> int:
        """How long it held the line and had no use for it."""
        return self.blocked_ns + self.failed_ns


@dataclass(frozen=True)
class Exhaustion:
    """A span of time in which a HART that was online had no line left.

    `holders` are those of its lines, the idlest first; `refusals` are the requests that got none,
    by kind (`REFUSALS`); `free_ns` is how long some other HART had a free line, and `free_harts`
    for how long each had one, the longest first.
    """

    hart: int
    start_ns: int
    end_ns: int
    holders: tuple[Holder, ...]
    refusals: dict[str, int]
    free_ns: int
    free_harts: dict[int, int]

    @property
    def lasted_ns(self) -> int:
        """How long it lasted."""
        return self.end_ns - self.start_ns

    @property
    def refused(self) -> int:
        """How many requests got no line."""
        return sum(self.refusals.values())

    def document(self) -> dict[str, Any]:
        """All of it, as plain values."""
        holders = [vars(holder) | {"idle_ns": holder.idle_ns} for holder in self.holders]
        harts = [{"hart": hart, "free_ns": ns} for hart, ns in self.free_harts.items()]
        return {**vars(self), "holders": holders, "free_harts": harts}


def exhaustions(recording: Recording, hart: int | None = None) -> list[Exhaustion]:
    """Each exhaustion of a run, or of one HART, those with most refusals first, then the longest.

    InputError: the run did not record owners, or has no such HART.
    """
    steps = recording.steps
    if "owners" not in recording.tables:
        remedy = "make it again with `--record all`"
        given = ", ".join(recording.tables) or "none"
        raise InputError([Problem("run folder", "tables", given, "must have owners.csv", remedy)])
    if hart is not None and not 0 <= hart < len(steps):
        allowed = f"must be a HART of this run, 0..{len(steps) - 1}"
        raise InputError([Problem("command line", "--hart", str(hart), allowed)])
    free = [each.free for each in steps]
    found = [
        _exhaustion(recording, number, window, free)
        for number in (range(len(steps)) if hart is None else (hart,))
        for window in steps[number].exhausted
    ]
    return sorted(found, key=lambda each: (-each.refused, -each.lasted_ns, each.hart))


def _exhaustion(
    recording: Recording, hart: int, window: tuple[int, int], free: Sequence[Windows]
) -> Exhaustion:
    tables = recording.tables
    elsewhere = {
        other: inside
        for other, windows in enumerate(free)
        if other != hart and (inside := _clipped(windows, window))
    }
    lengths = {other: _length(inside) for other, inside in elsewhere.items()}
    order = sorted(lengths, key=lambda other: (-lengths[other], other))
    holders = sorted(_holders(tables, hart, window), key=lambda h: (-h.idle_ns, h.line, h.since_ns))
    return Exhaustion(
        hart,
        *window,
        tuple(holders),
        _refusals(tables, hart, window),
        _length(_union([each for inside in elsewhere.values() for each in inside])),
        {other: lengths[other] for other in order},
    )


def _holders(tables: Tables, hart: int, window: tuple[int, int]) -> Iterator[Holder]:
    """The vCPUs that held lines of a HART in a window."""
    start, end = window
    owners, names = tables["owners"], vcpu_names(tables)
    mine = (owners["hart"] == hart) & (owners["start_ns"] < end) & (owners["end_ns"] > start)
    for row in owners[mine]:
        since_ns, vcpu = int(row["start_ns"]), int(row["vcpu"])
        held = max(since_ns, start), min(int(row["end_ns"]), end)
        idle = _idle(tables, vcpu, held)
        yield Holder(
            vcpu,
            names.get(vcpu, f"vCPU {vcpu}"),
            int(row["line"]),
            since_ns,
            held[1] - held[0],
            idle.get("blocked", 0),
            idle.get("failed", 0),
        )


def _idle(tables: Tables, vcpu: int, held: tuple[int, int]) -> dict[str, int]:
    """How long a vCPU was in each idle state within a span; nothing where that is not known."""
    if "idle" not in tables:
        return {}
    rows = tables["idle"][tables["idle"]["vcpu"] == vcpu]
    inside = np.minimum(rows["end_ns"], held[1]) - np.maximum(rows["start_ns"], held[0])
    return {
        state: int(inside[(rows["state"] == state) & (inside > 0)].sum())
        for state in ("blocked", "failed")
    }


def _refusals(tables: Tables, hart: int, window: tuple[int, int]) -> dict[str, int]:
    """The requests for a line of a HART that ended without one in a window."""
    spans: Records | None = tables.get("spans")
    if spans is None:
        return {}
    here = (spans["hart"] == hart) & (spans["end_ns"] > window[0]) & (spans["start_ns"] < window[1])
    return {kind: n for kind in REFUSALS if (n := int((here & (spans["kind"] == kind)).sum()))}


@dataclass(frozen=True)
class Offender:
    """A vCPU over all exhaustions: how long it held lines that others lacked, and did not use
    them."""

    vcpu: int
    name: str
    held_ns: int
    idle_ns: int


def offenders(found: Sequence[Exhaustion]) -> list[Offender]:
    """All holders, those that held without a use for longest first."""
    sums: dict[tuple[int, str], list[int]] = {}
    for holder in (holder for each in found for holder in each.holders):
        total = sums.setdefault((holder.vcpu, holder.name), [0, 0])
        total[0] += holder.held_ns
        total[1] += holder.idle_ns
    made = [Offender(*who, *total) for who, total in sums.items()]
    return sorted(made, key=lambda each: (-each.idle_ns, -each.held_ns, each.vcpu))


def _clipped(windows: Windows, window: tuple[int, int]) -> Windows:
    pieces = [(max(start, window[0]), min(end, window[1])) for start, end in windows]
    return [(start, end) for start, end in pieces if end > start]


def _union(windows: Windows) -> Windows:
    """Overlapping windows as one."""
    made: Windows = []
    for start, end in sorted(windows):
        if made and start <= made[-1][1]:
            made[-1] = made[-1][0], max(made[-1][1], end)
        else:
            made.append((start, end))
    return made


def _length(windows: Windows) -> int:
    return sum(end - start for start, end in windows)
