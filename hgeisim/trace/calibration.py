"""A timing table calibrated by traces: what each operation cost on the machine that was traced.

`UNMEASURABLE` lists the entries of the timing table that no trace can show.  `fitted` turns
measured times into one of the table's distributions.  A `Calibration` collects the times of all
traces.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hgeisim.errors import InputError, Problem
from hgeisim.scenario.timing import TIMING_NS, Constant, Empirical, Exponential, Law
from hgeisim.trace.duration import MEASURES, Measure
from hgeisim.trace.event_names import Events
from hgeisim.trace.ftrace import Lost
from hgeisim.trace.import_trace import Extent, Progress, read_events, without_collection
from hgeisim.trace.interval import Event, Interval, intervals_of

UNMEASURABLE = {
    "raw_spin_unlock": "no event marks the end of an unlock",
    "interrupt_entry": "no event comes before the kernel's own entry code",
    "ipi_send": "no event marks when the sender goes on",
    "halt_poll": "no event in the polling loop",
    "guest_entry": "`run` comes before the entry, and nothing marks the exit",
}
"""Entries of the timing table that no trace can show."""


def why_missing(entry: str) -> str:
    """Why an entry was not measured, and which events would have to be recorded for it."""
    if entry in UNMEASURABLE:
        return UNMEASURABLE[entry]
    ways = [" and ".join(measure.events) for measure in MEASURES if measure.entry == entry]
    return f"it never happened, or was not recorded; needs {', or '.join(ways)}"


EXPONENTIAL_MIN = 20
"""Fewer times than this are too few to test for an exponential law."""
_LILLIEFORS = 1.094
"""5 % point of the Kolmogorov distance to an exponential law with the sample's mean (Stephens)."""
QUANTILES_MAX = 10
"""An empirical distribution has at most this many steps."""


def fitted(times_ns: Sequence[int]) -> Law:
    """Fit the simplest law that the times do not contradict: constant, exponential, else empirical.

    A time of 0 becomes 1 ns, since a step of a simulation takes time.
    """
    ordered = sorted(times_ns)
    if ordered[0] == ordered[-1]:
        return Constant.model_construct(value=max(1, ordered[0]))
    if is_exponential(ordered):
        return Exponential.model_construct(mean=max(1, round(sum(ordered) / len(ordered))))
    steps = min(QUANTILES_MAX, len(ordered) - 1)
    ends = tuple(quantile(ordered, at / steps) for at in range(steps + 1))
    return Empirical.model_construct(quantiles=ends)


def quantile(ordered: Sequence[int], part: float) -> int:
    """The measured time that a share `part` of the others does not exceed (nearest rank)."""
    return ordered[round(part * (len(ordered) - 1))]


def is_exponential(ordered: Sequence[int]) -> bool:
    """Whether the times pass Lilliefors' test for an exponential law, at 5 %."""
    count = len(ordered)
    if count < EXPONENTIAL_MIN:
        return False
    mean = sum(ordered) / count
    root = math.sqrt(count)
    return (distance(ordered, mean) - 0.2 / count) * (root + 0.26 + 0.5 / root) < _LILLIEFORS


def distance(ordered: Sequence[int], mean: float) -> float:
    """Kolmogorov's distance between the times and an exponential law with this mean."""
    laws = [-math.expm1(-time_ns / mean) for time_ns in ordered]
    count = len(ordered)
    return max(max((at + 1) / count - law, law - at / count) for at, law in enumerate(laws))


QUANTILES = (0.05, 0.5, 0.95)
"""The quantiles that are reported."""


@dataclass
class Calibration:
    """The times measured in all files, by the name of the measure.

    `files` are the names and numbers of records; `holes` counts the places where events were lost.
    """

    files: list[tuple[str, int]] = field(default_factory=list)
    holes: int = 0
    times_ns: dict[str, list[int]] = field(default_factory=dict)

    def add(self, path: Path, table: Events, progress: Progress | None = None) -> None:
        """Measure another trace; InputError: see `read_ftrace` and `Events.decode`."""
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
        """Raise InputError if nothing in the traces could be measured."""
        if not any(self.times_ns.values()):
            names = ", ".join(name for name, _ in self.files)
            allowed = "nothing in it shows how long anything took"
            remedy = "`hgeisim trace record` prints a script that records what does"
            raise InputError([Problem(names, "", "", allowed, remedy)])

    def entries(self) -> dict[str, Measure]:
        """The measure that gives each entry of the timing table, in the table's order.

        Of several measures for one entry, the first in `MEASURES` that has times counts.
        """
        best: dict[str, Measure] = {}
        for measure in MEASURES:
            if measure.entry and self.times_ns[measure.name]:
                best.setdefault(measure.entry, measure)
        return {entry: best[entry] for entry in TIMING_NS if entry in best}

    def others(self) -> list[Measure]:
        """The measures with times that give no entry of the table."""
        taken = [measure.name for measure in self.entries().values()]
        return [m for m in MEASURES if self.times_ns[m.name] and m.name not in taken]

    def missing(self) -> dict[str, str]:
        """The entries that were not measured, and why."""
        measured = self.entries()
        return {entry: why_missing(entry) for entry in TIMING_NS if entry not in measured}

    def law(self, measure: Measure) -> Law:
        """The distribution fitted to the times of a measure."""
        return fitted(self.times_ns[measure.name])

    def facts(self, measure: Measure) -> dict[str, Any]:
        """The number of times, and in ns their minimum, quantiles, maximum and mean."""
        ordered = sorted(self.times_ns[measure.name])
        return {
            "count": len(ordered),
            "min_ns": ordered[0],
            **{f"p{round(100 * part)}_ns": quantile(ordered, part) for part in QUANTILES},
            "max_ns": ordered[-1],
            "mean_ns": round(sum(ordered) / len(ordered)),
        }
