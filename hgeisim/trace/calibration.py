"""What traces tell of the costs in a timing table, and what they do not tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hgeisim.errors import InputError, Problem
from hgeisim.scenario.distribution import Law
from hgeisim.scenario.timing import TIMING_NS
from hgeisim.trace.events import Events
from hgeisim.trace.fit import fitted, quantile
from hgeisim.trace.ftrace import Lost
from hgeisim.trace.imported import Extent, Progress, read_events, without_collection
from hgeisim.trace.interval import Event, Interval, intervals_of
from hgeisim.trace.measures import MEASURES, Measure, why_missing

QUANTILES = (0.05, 0.5, 0.95)
"""Those that are told."""


@dataclass
class Calibration:
    """Times by the name of what was measured, from all files together; `holes` are the places
    where events were lost."""

    files: list[tuple[str, int]] = field(default_factory=list)
    holes: int = 0
    times_ns: dict[str, list[int]] = field(default_factory=dict)

    def add(self, path: Path, table: Events, progress: Progress | None = None) -> None:
        """Measure one more trace; InputError: see `read_ftrace` and `Events.decode`."""
        with without_collection():
            extent = Extent()
            events = read_events(path, table, extent, progress=progress)
            calls = intervals_of(events)
            self.files.append((path.name, extent.records))
            self.holes += extent.holes
            for measure in MEASURES:
                source: Sequence[Event | Lost | Interval] = calls if measure.by_call else events
                self.times_ns.setdefault(measure.name, []).extend(measure.of(source))

    def check(self) -> None:
        """InputError: nothing in the traces could be measured."""
        if not any(self.times_ns.values()):
            names = ", ".join(name for name, _ in self.files)
            allowed = "nothing in it tells how long anything took"
            remedy = "`hgeisim trace record` prints how to record what does"
            raise InputError([Problem(names, "", "", allowed, remedy)])

    def entries(self) -> dict[str, Measure]:
        """What was measured for each entry of the timing table, in the order of that."""
        best: dict[str, Measure] = {}
        for measure in MEASURES:
            if measure.entry and self.times_ns[measure.name]:
                best.setdefault(measure.entry, measure)
        return {entry: best[entry] for entry in TIMING_NS if entry in best}

    def others(self) -> list[Measure]:
        """What else was measured."""
        taken = [measure.name for measure in self.entries().values()]
        return [m for m in MEASURES if self.times_ns[m.name] and m.name not in taken]

    def missing(self) -> dict[str, str]:
        """The entries that are not measured, and why."""
        measured = self.entries()
        return {entry: why_missing(entry) for entry in TIMING_NS if entry not in measured}

    def law(self, measure: Measure) -> Law:
        """The distribution that was measured."""
        return fitted(self.times_ns[measure.name])

    def facts(self, measure: Measure) -> dict[str, Any]:
        """How often, and in ns the least, quantiles, the most and the mean."""
        ordered = sorted(self.times_ns[measure.name])
        return {
            "count": len(ordered),
            "min_ns": ordered[0],
            **{f"p{round(100 * part)}_ns": quantile(ordered, part) for part in QUANTILES},
            "max_ns": ordered[-1],
            "mean_ns": round(sum(ordered) / len(ordered)),
        }
