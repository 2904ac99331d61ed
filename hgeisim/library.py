"""hgeisim from Python: load a scenario, run it, and have the result as records.

    import hgeisim
    scenario = hgeisim.load("big-little", variant="v6.12", until="5ms")
    result = hgeisim.run(scenario)
    result.summary["harts"][4]["exhausted"]
    result.owners[result.owners["hart"] == 4]
    result.plot("lines", hart=4).save("lines.png")

All tables are numpy structured arrays: `table["hart"]` is a column, `table[0]` a record,
`table.dtype.names` tells the columns.  Mistakes of a user are `hgeisim.InputError`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hgeisim.drivers.timed.simulation import simulate
from hgeisim.errors import InputError, Problem
from hgeisim.kernel.variants import variant_problem
from hgeisim.report.run import manifest, screen, summary
from hgeisim.runs.folder import read_run, read_tables, write_run
from hgeisim.runs.measures import durations, holders
from hgeisim.runs.occupancy_steps import Windows, steps_of_harts
from hgeisim.runs.picture_kinds import KINDS
from hgeisim.runs.tables import SPAN_NAMES, Records, Tables, texts_of
from hgeisim.runs.timeline import Timeline, event_records, occupancy_records
from hgeisim.scenario.load import OVERRIDES, load_scenario
from hgeisim.scenario.messages import did_you_mean
from hgeisim.scenario.schema import Scenario

if TYPE_CHECKING:
    from hgeisim.plot.drawing import Drawing


@dataclass(frozen=True)
class Result:
    """What a run left behind, fresh or read back from its folder.

    `manifest` and `summary` are the documents of the run folder, see docs/run-folder.md.
    """

    manifest: dict[str, Any]
    summary: dict[str, Any]
    timeline: Timeline
    tables: Tables

    def __str__(self) -> str:
        """The run on one screen."""
        return screen(self.manifest, self.summary)

    __repr__ = __str__

    @property
    def harts(self) -> list[dict[str, Any]]:
        """One record for each HART: lines, how full it was, and counts of events."""
        found: list[dict[str, Any]] = self.summary["harts"]
        return found

    @property
    def findings(self) -> list[dict[str, Any]]:
        """What the checks found."""
        found: list[dict[str, Any]] = self.summary["findings"]
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
        """Who owned which line from when to when: start_ns, end_ns, ..., hart, line, vcpu."""
        return self._table("owners")

    @property
    def spans(self) -> Records:
        """What took time: kind, start_ns, end_ns, hart, origin, vcpu, line."""
        return self._table("spans")

    @property
    def vcpus(self) -> Records:
        """Each vCPU: name, VM, mode, life, and its time by state."""
        return self._table("vcpus")

    @property
    def locks(self) -> Records:
        """Waits and holds: each HGEI lock by itself, other locks by class."""
        return self._table("locks")

    def durations(self, kind: str) -> Any:
        """How long each span of a kind took in ns, sorted: `numpy.quantile` takes it."""
        if kind not in SPAN_NAMES:
            allowed = f"must be one of {', '.join(SPAN_NAMES)}"
            raise InputError([Problem("result", "kind", kind, allowed)])
        return durations(self.spans, kind)

    def exhausted(self, hart: int) -> Windows:
        """When a HART had no line left: (start_ns, end_ns) each."""
        return steps_of_harts(self.timeline)[self._number(hart)].exhausted

    def holders(self, hart: int, windows: Windows | None = None) -> Records:
        """Who held the lines of a HART while it had none left, or in other windows of time: vcpu,
        name, lines, held_ns, the longest first."""
        self._table("owners")
        return holders(self.tables, hart, self.exhausted(hart) if windows is None else windows)

    def plot(self, kind: str = "occupancy", hart: int = 0) -> Drawing:
        """Draw a picture, as `hgeisim plot --kind` does; `hart` counts for "lines" only."""
        from hgeisim.plot.drawing import Drawing, Picture  # noqa: PLC0415
        from hgeisim.runs.recording import Recording, title_of  # noqa: PLC0415

        if kind not in KINDS:
            allowed = f"must be one of {', '.join(KINDS)}"
            raise InputError([Problem("plot", "kind", kind, allowed)])
        for name in KINDS[kind].needs:
            self._table(name)
        picture = Picture(kind, self._number(hart) if KINDS[kind].of_hart else None)
        title = title_of(self.manifest)
        made = Recording(self.timeline, title, self.tables, self.summary)
        return Drawing(picture.draw(made))

    def write(self, folder: str | Path) -> None:
        """Leave a run folder, with the timeline and all tables as CSV."""
        write_run(Path(folder), self.manifest, self.summary, self.timeline, texts_of(self.tables))

    def _number(self, hart: int) -> int:
        last = len(self.timeline.topology.harts) - 1
        if not 0 <= hart <= last:
            raise InputError([Problem("result", "hart", str(hart), f"must be 0..{last}")])
        return hart

    def _table(self, name: str) -> Records:
        if name not in self.tables:
            allowed = f"was not recorded; there are {', '.join(self.tables) or 'no tables'}"
            remedy = 'run with record="all"; a trace tells owners and vcpus only'
            raise InputError([Problem("result", name, "", allowed, remedy)])
        return self.tables[name]


def load(name_or_path: str | Path, **overrides: Any) -> Scenario:
    """Load a scenario by its name or file; overrides are variant, preemption, until and seed, as
    on the command line of `hgeisim run`.  InputError tells all that is wrong."""
    allowed = f"is no override; there are {', '.join(OVERRIDES)}"
    wrong = [
        Problem("load", name, str(value), allowed, did_you_mean(name, OVERRIDES))
        for name, value in overrides.items()
        if name not in OVERRIDES
    ]
    if wrong:
        raise InputError(wrong)
    return load_scenario(name_or_path, overrides, variant_problem)


def run(scenario: Scenario | str | Path, record: str = "all") -> Result:
    """Simulate a scenario; `record` is "all", or "occupancy" for the timeline alone."""
    if record not in ("all", "occupancy"):
        raise InputError([Problem("run", "record", record, 'must be "all" or "occupancy"')])
    loaded = scenario if isinstance(scenario, Scenario) else load(scenario)
    simulation = simulate(loaded, record="all" if record == "all" else "occupancy")
    simulation.run(loaded.run.until)
    result = summary(loaded, simulation)
    return Result(manifest(loaded), result, simulation.timeline, simulation.tables)


def read(folder: str | Path) -> Result:
    """Read a run folder back, also one of `hgeisim trace import`.  InputError names what is
    damaged."""
    found = read_run(Path(folder))
    tables = read_tables(Path(folder), found.manifest)
    return Result(found.manifest, found.summary, found.timeline, tables)
