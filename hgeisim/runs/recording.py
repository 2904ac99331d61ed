"""A run at rest, fresh or read back: its two documents, its timeline and its tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from hgeisim.errors import InputError, Problem
from hgeisim.runs.measures import durations, holders
from hgeisim.runs.occupancy_steps import (
    Steps,
    Windows,
    all_at_once,
    offline_windows,
    steps_of_harts,
)
from hgeisim.runs.picture_kinds import KINDS
from hgeisim.runs.tables import MET_NAMES, SPAN_NAMES, Records, Tables
from hgeisim.runs.timeline import Column, Timeline, event_records, occupancy_records


@dataclass(frozen=True)
class Recording:
    """A run of a scenario, or a trace that was imported.

    `manifest` and `summary` are the documents of its folder, see docs/run-folder.md; `tables` are
    those that were recorded.
    """

    manifest: Mapping[str, Any]
    summary: Mapping[str, Any]
    timeline: Timeline
    tables: Tables = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The title of the scenario; below it, in a line of its own, the kernel and the seed."""
        title = one_line(self.manifest["scenario"].get("title") or "A run without a title")
        if "trace" in self.manifest["scenario"]:
            return f"{title}\nan event trace of a real kernel"
        facts = self.manifest
        kernel = one_line(f"{facts['variant']}, preemption {facts['preemption']}")
        return f"{title}\n{kernel}, seed {facts['seed']}"

    @property
    def end_ns(self) -> int:
        """When the recording ends; 1 for one that took no time, so that it can be drawn."""
        return max(self.timeline.last_ns, 1)

    @cached_property
    def steps(self) -> list[Steps]:
        """The occupancy of each HART."""
        return steps_of_harts(self.timeline)

    @cached_property
    def offline(self) -> list[Windows]:
        """When each HART was offline."""
        return offline_windows(self.timeline)

    @property
    def fullest_hart(self) -> int:
        """The HART that was exhausted for longest; of equals the first with lines, if any has, be
        they withheld."""
        shares = [
            (steps.exhausted_share, steps.lines > 0, steps.withheld > 0) for steps in self.steps
        ]
        return shares.index(max(shares))

    def missing(self, kind: str) -> list[str]:
        """Names of the tables that a kind of picture needs and the run does not have."""
        return [name for name in KINDS[kind].needs if name not in self.tables]

    @property
    def harts(self) -> list[dict[str, Any]]:
        """One record for each HART: its lines, how full it was, and counts of events."""
        found: list[dict[str, Any]] = self.summary["harts"]
        return found

    @property
    def findings(self) -> list[dict[str, Any]]:
        """The findings of the checks."""
        found: list[dict[str, Any]] = self.summary.get("findings", [])
        return found

    @cached_property
    def occupancy(self) -> Records:
        """Each change of the lines taken on a HART: time_ns, hart, busy."""
        return occupancy_records(self.timeline)

    @cached_property
    def events(self) -> Records:
        """Each event: time_ns, event, hart, vcpu, line."""
        return event_records(self.timeline)

    @property
    def owners(self) -> Records:
        """The owners of each line over time: start_ns, end_ns, ..., hart, line, vcpu."""
        return self.table("owners")

    @property
    def spans(self) -> Records:
        """Whatever took time: kind, start_ns, end_ns, hart, origin, vcpu, line."""
        return self.table("spans")

    @property
    def vcpus(self) -> Records:
        """Each vCPU: name, VM, mode, life, and its time by state."""
        return self.table("vcpus")

    @property
    def locks(self) -> Records:
        """Waits and holds: each HGEI lock by itself, other locks by class."""
        return self.table("locks")

    def table(self, name: str) -> Records:
        """A table by its name.  InputError: it was not recorded, or not read."""
        if name not in self.tables:
            allowed = f"was not recorded; there are {', '.join(self.tables) or 'no tables'}"
            remedy = 'run with record="all"; a trace has owners and vcpus only'
            raise InputError([Problem("result", name, "", allowed, remedy)])
        return self.tables[name]

    def durations(self, kind: str, met: str | None = None) -> Column:
        """How long each span of a kind took in ns, sorted: `numpy.quantile` takes it.

        Those of all modes; with `met`, only the interrupts that met their vCPU in its "guest", in
        "wfi", in want of a line ("failed") or of a HART ("runnable"), or at work in the "host".
        """
        if kind not in SPAN_NAMES:
            allowed = f"must be one of {', '.join(SPAN_NAMES)}"
            raise InputError([Problem("result", "kind", kind, allowed)])
        if met is not None and met not in MET_NAMES:
            allowed = f"must be one of {', '.join(MET_NAMES[1:])}"
            raise InputError([Problem("result", "met", met, allowed)])
        return durations(self.spans, kind, met)

    def exhausted(self, hart: int) -> Windows:
        """When a HART had no line left: (start_ns, end_ns) each."""
        return self.steps[self.number(hart)].exhausted

    def holders(self, hart: int, windows: Windows | None = None) -> Records:
        """The vCPUs that held the lines of a HART while it had none left, or in other windows of
        time: vcpu, name, lines, held_ns, the longest first."""
        self.table("owners")
        return holders(self.tables, hart, self.exhausted(hart) if windows is None else windows)

    def number(self, hart: int) -> int:
        """The number of a HART.  InputError: the machine has no such HART."""
        last = len(self.timeline.topology.harts) - 1
        if not 0 <= hart <= last:
            raise InputError([Problem("result", "hart", str(hart), f"must be 0..{last}")])
        return hart


def offline_label(offline: list[Windows]) -> str:
    """The label for windows in which HARTs are offline in this run."""
    return "virtualization off: no VM, or HART offline" if all_at_once(offline) else "HART offline"


def one_line(words: object) -> str:
    """Words in one line of letters that can be drawn."""
    return " ".join("".join(c if c.isprintable() else " " for c in str(words)).split())
