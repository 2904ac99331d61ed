"""An imported trace as a run: the timeline and folder that a simulation leaves, and its summary.

So a trace can be drawn, and compared with a simulation.  This is the one file that knows both.  The
summary is a document for programs, and what a person reads.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hgeisim.runs.fingerprint import fingerprint
from hgeisim.runs.folder import write_run
from hgeisim.runs.measures import hart_summaries
from hgeisim.runs.timeline import ALLOC, FAIL, FREE, OFFLINE, ONLINE, RELEASE, SGEI, Timeline
from hgeisim.trace.import_trace import Imported
from hgeisim.trace.interval import Interval
from hgeisim.trace.occupancy import Machine, Moment, Occupancy
from hgeisim.version import VERSION

VARIANT = "traced kernel"
"""Stands where a simulation names its kernel: a trace does not say which one it was."""
OWNERS_HEAD = "start_ns,end_ns,start_known,end_known,hart,line,vcpu"
VCPUS_HEAD = "vcpu,pointer,pid,thread"


def timeline_of(occupancy: Occupancy, machine: Machine) -> Timeline:
    """Make a timeline whose time 0 is the begin of the trace."""
    timeline = Timeline(machine.topology)
    begin_ns = occupancy.begin.time_ns
    busy = [0] * len(machine.topology.harts)
    for at, hart, step in sorted(_steps(occupancy)):
        busy[hart] += step
        timeline.occupy(at.time_ns - begin_ns, hart, busy[hart])
    for at, kind, hart, vcpu, line in sorted(_events(occupancy)):
        timeline.event(at.time_ns - begin_ns, kind, hart, vcpu, line)
    timeline.end_ns = occupancy.end.time_ns - begin_ns
    return timeline


def write_folder(
    out: Path, imported: Imported, timeline: Timeline, summary: Mapping[str, Any]
) -> None:
    """Leave a run folder, with the owners of each line and the names of the vCPUs beside.

    InputError: `out` holds something else, or cannot be written.
    """
    manifest = {
        "scenario": {"title": f"Trace {imported.file}", "trace": imported.file},
        "variant": VARIANT,
        "preemption": "unknown",
        "seed": 0,
        "versions": {"hgeisim": VERSION},
    }
    extra = {"owners.csv": _owners(imported.occupancy), "vcpus.csv": _vcpus(imported.occupancy)}
    write_run(out, manifest, summary, timeline, extra)


def _steps(occupancy: Occupancy) -> Iterator[tuple[Moment, int, int]]:
    """Yield when a HART had a line more or less."""
    for owner in occupancy.ownerships:
        yield owner.start, owner.hart, 1
        if owner.end is not None:
            yield owner.end, owner.hart, -1


def _events(occupancy: Occupancy) -> Iterator[tuple[Moment, int, int, int, int]]:
    for each in occupancy.allocations:
        kind = FAIL if each.failed else ALLOC
        yield each.at, kind, each.hart, each.vcpu, max(each.result, 0)
    for freed in occupancy.frees:
        yield freed.at, FREE, freed.hart, 0, freed.line
    for sgei in occupancy.sgeis:
        yield sgei.at, SGEI, sgei.hart, 0, 0
    for lost in occupancy.releases:
        yield lost.at, RELEASE, lost.hart, lost.vcpu, lost.line
    for window in occupancy.windows:
        yield window.start or occupancy.begin, OFFLINE, window.hart, 0, 0
        if window.end is not None:
            yield window.end, ONLINE, window.hart, 0, 0


def _owners(occupancy: Occupancy) -> str:
    begin_ns = occupancy.begin.time_ns
    rows = (
        (
            owner.start.time_ns - begin_ns,
            (owner.end or occupancy.end).time_ns - begin_ns,
            int(owner.start_known),
            int(owner.end_known),
            owner.hart,
            owner.line,
            owner.vcpu,
        )
        for owner in sorted(occupancy.ownerships, key=lambda each: each.start)
    )
    return "\n".join([OWNERS_HEAD, *(",".join(map(str, row)) for row in rows), ""])


def _vcpus(occupancy: Occupancy) -> str:
    """Name the vCPUs; a thread's name may hold anything, so it stands last."""
    rows = (f"{v.number},{v.pointer},{v.pid},{v.comm}" for v in occupancy.vcpus)
    return "\n".join([VCPUS_HEAD, *rows, ""])


HEADS = ("HART", "lines", "max", "alloc", "fail", "free", "SGEI", "moves", "released", "off")
COUNTED = ("alloc", "fail", "free", "sgei", "moves", "release", "windows")
"""Numbers of each HART, in the order of the table."""
DOUBTS_SHOWN = 5
JOINTS_SHOWN = 4


def document(imported: Imported, timeline: Timeline) -> dict[str, Any]:
    """What came out, as JSON; the keys of a simulation's summary mean the same here.

    `joints` are the lines before which windows seem to be joined, by the time without a record;
    `lines_proven` is whether the number of lines is known; `moves` counts vCPUs that came to a HART
    with a line of another; `windows` the times without HGEI.  `findings` is empty: an import reads,
    it does not judge; where the events contradict each other `doubts` says so.
    """
    harts = list(_harts(imported, timeline))
    occupancy = imported.occupancy
    return {
        "variant": VARIANT,
        "seed": 0,
        "end_ns": timeline.end_ns,
        "fingerprint": fingerprint(timeline),
        "trace": _facts(imported),
        "harts": harts,
        "total": {name: sum(hart[name] for hart in harts) for name in COUNTED},
        "released_by_hotplug": sum(each.by_hotplug for each in occupancy.releases),
        "findings": [],
        "doubts": [doubt._asdict() for doubt in occupancy.doubts],
    }


def _facts(imported: Imported) -> dict[str, Any]:
    extent, occupancy = imported.extent, imported.occupancy
    return {
        "file": imported.file,
        "records": extent.records,
        "headers": extent.headers,
        "holes": extent.holes,
        "joints": list(imported.joints),
        "held_before": sum(_held_before(imported.occupancy)),
        "vcpus": len(occupancy.vcpus),
        "calls": len(imported.intervals),
        "open_calls": _open_calls(imported.intervals),
        "unanswered_allocs": occupancy.unanswered,
    }


def _held_before(occupancy: Occupancy) -> Iterator[bool]:
    """Whether each ownership began before the trace."""
    return (not own.start_known and own.start == occupancy.begin for own in occupancy.ownerships)


def _open_calls(intervals: list[Interval]) -> dict[str, dict[str, int]]:
    """Count calls of which one end is missing, by function and by the reason."""
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
    """What was read, in two lines."""
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
    """What must be known to read the table rightly."""
    if not all(hart["lines_proven"] for hart in result["harts"]):
        yield "?  A guess: no allocation failed there.  --lines tells how many there are."
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
        yield f"... and {len(doubts) - DOUBTS_SHOWN} more doubts; --json tells all"


def _joined(lines: list[int]) -> Iterator[str]:
    """Where windows were joined, by what the times tell."""
    more = len(lines) - JOINTS_SHOWN
    at = ", ".join(map(str, lines[:JOINTS_SHOWN])) + (f" and {more} more" if more > 0 else "")
    yield f"Windows seem to be joined before line {at}:"
    yield "no CPU has a record for a while, and owners may have changed unseen."
