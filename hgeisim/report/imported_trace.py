"""The summary of an imported trace: a document for programs, a table and notes for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from hgeisim.runs.fingerprint import fingerprint
from hgeisim.runs.measures import hart_summaries
from hgeisim.runs.timeline import Timeline
from hgeisim.trace.import_trace import Imported
from hgeisim.trace.imported_run import VARIANT
from hgeisim.trace.interval import Interval

HEADS = ("HART", "lines", "max", "alloc", "fail", "free", "SGEI", "moves", "released", "off")
COUNTED = ("alloc", "fail", "free", "sgei", "moves", "release", "windows")
"""The counts of each HART, in the order of the table."""
DOUBTS_SHOWN = 5
JOINTS_SHOWN = 4


def document(imported: Imported, timeline: Timeline) -> dict[str, Any]:
    """The summary as plain data; keys that a simulation's summary has as well mean the same here.

    `joints` are the lines before which windows seem to be joined, because no CPU has a record for
    a while; `lines_proven` is whether the number of lines is known; `moves` counts vCPUs that came
    to a HART with a line of another one; `windows` counts the periods without HGEI.  `findings` is
    empty, since an import does not judge; `doubts` has the events that contradict each other.
    """
    harts = list(_harts(imported, timeline))
    occupancy = imported.occupancy
    return {
        "variant": VARIANT,
        "seed": 0,
        "end_ns": timeline.end_ns,
        "fingerprint": fingerprint(timeline),
        "trace": _trace_facts(imported),
        "harts": harts,
        "total": {name: sum(hart[name] for hart in harts) for name in COUNTED},
        "released_by_hotplug": sum(each.by_hotplug for each in occupancy.releases),
        "findings": [],
        "doubts": [doubt._asdict() for doubt in occupancy.doubts],
    }


def _trace_facts(imported: Imported) -> dict[str, Any]:
    extent, occupancy = imported.extent, imported.occupancy
    return {
        "file": imported.file,
        "records": extent.records,
        "headers": extent.headers,
        "holes": extent.holes,
        "joints": list(imported.joints),
        "held_before": sum(
            not own.start_known and own.start == occupancy.begin for own in occupancy.ownerships
        ),
        "vcpus": len(occupancy.vcpus),
        "calls": len(imported.intervals),
        "open_calls": _open_calls(imported.intervals),
        "unanswered_allocs": occupancy.unanswered,
    }


def _open_calls(intervals: list[Interval]) -> dict[str, dict[str, int]]:
    """Count the calls with a missing end, by function and reason."""
    found: dict[str, Counter[str]] = {}
    for call in intervals:
        if call.is_open:
            found.setdefault(call.function, Counter())[call.gap.value] += 1
    return {function: dict(sorted(found[function].items())) for function in sorted(found)}


def _harts(imported: Imported, timeline: Timeline) -> Iterator[dict[str, Any]]:
    occupancy = imported.occupancy
    moves = Counter(each.hart for each in occupancy.allocations if each.is_migration)
    windows = Counter(window.hart for window in occupancy.windows)
    for hart in hart_summaries(timeline):
        number = hart["hart"]
        yield {
            **hart,
            "lines_proven": imported.machine.proven[number],
            "moves": moves[number],
            "windows": windows[number],
        }


def head(result: dict[str, Any]) -> Iterator[str]:
    """Name the trace and its size, in two lines."""
    trace = result["trace"]
    yield f"Trace {trace['file']}"
    yield (
        f"{trace['records']:,} records, {result['end_ns'] / 1e9:.3f} s, "
        f"{len(result['harts'])} HARTs, {trace['vcpus']} vCPUs"
    )


def rows(result: dict[str, Any]) -> Iterator[tuple[object, ...]]:
    """The table: a row for each HART, and one for all."""
    for hart in result["harts"]:
        lines = f"{hart['lines']}{'' if hart['lines_proven'] else '?'}"
        over = "!" if hart["busy_max"] > hart["lines"] else ""
        counts = (hart[name] for name in COUNTED)
        yield hart["hart"], lines, f"{hart['busy_max']}{over}", *counts
    total = result["total"]
    lines = sum(hart["lines"] for hart in result["harts"])
    yield "all", lines, "", *(total[name] for name in COUNTED)


def notes(result: dict[str, Any]) -> Iterator[str]:
    """Notes that the table must be read with."""
    if not all(hart["lines_proven"] for hart in result["harts"]):
        yield "?  A guess: no allocation failed there.  --lines gives the number."
    if by_hotplug := result["released_by_hotplug"]:
        yield f"{by_hotplug} of the released VS-files: by CPU hotplug."
    if holes := result["trace"]["holes"]:
        places = "1 place" if holes == 1 else f"{holes} places"
        yield f"Events were lost in {places}: the counts are too low."
    if held := result["trace"]["held_before"]:
        lines = "1 line was" if held == 1 else f"{held} lines were"
        yield f"The trace begins in the middle of a run: {lines} taken before."
    if joints := result["trace"]["joints"]:
        yield from _joined(joints)
    if unanswered := result["trace"]["unanswered_allocs"]:
        yield f"{unanswered} allocations have no return in the trace; they are not counted."
    doubts = result["doubts"]
    for doubt in doubts[:DOUBTS_SHOWN]:
        yield f"doubt, line {doubt['line']}: {doubt['text']}"
    if len(doubts) > DOUBTS_SHOWN:
        yield f"... and {len(doubts) - DOUBTS_SHOWN} more doubts; --json lists them all"


def _joined(lines: list[int]) -> Iterator[str]:
    """Say where windows seem to be joined, judging by the times."""
    more = len(lines) - JOINTS_SHOWN
    at = ", ".join(map(str, lines[:JOINTS_SHOWN])) + (f" and {more} more" if more > 0 else "")
    yield f"Windows seem to be joined before line {at}:"
    yield "no CPU has a record for a while, and owners may have changed unseen."
