"""An imported trace as a run: the manifest, timeline and tables that a simulation would leave.

So a trace can be plotted, and compared with a simulation.  Only this file knows both formats.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from hgeisim.runs.tables import OWNERS, TRACED_VCPUS, Tables
from hgeisim.runs.timeline import ALLOC, FAIL, FREE, OFFLINE, ONLINE, RELEASE, SGEI, Timeline
from hgeisim.trace.import_trace import Imported
from hgeisim.trace.occupancy import Machine, Moment, Occupancy
from hgeisim.version import VERSION

VARIANT = "traced kernel"
"""Stands where a simulation names its kernel; a trace does not say which kernel left it."""


def timeline_of(occupancy: Occupancy, machine: Machine) -> Timeline:
    """Make a timeline whose time 0 is the beginning of the trace."""
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


def manifest_of(imported: Imported) -> dict[str, Any]:
    """The manifest of a run, as far as a trace knows it."""
    return {
        "scenario": {"title": f"Trace {imported.file}", "trace": imported.file},
        "variant": VARIANT,
        "preemption": "unknown",
        "seed": 0,
        "versions": {"hgeisim": VERSION},
    }


def tables_of(occupancy: Occupancy) -> Tables:
    """The tables of a trace: the owners of each line, and the vCPUs' names."""
    begin_ns = occupancy.begin.time_ns
    owners = [
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
    ]
    vcpus = [(v.number, v.pointer, v.pid, v.comm) for v in occupancy.vcpus]
    return {"owners": np.array(owners, OWNERS), "vcpus": np.array(vcpus, TRACED_VCPUS)}


def _steps(occupancy: Occupancy) -> Iterator[tuple[Moment, int, int]]:
    """Yield each moment at which a HART had one owned line more or less."""
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
