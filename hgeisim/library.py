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
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hgeisim.drivers.timed.simulation import simulate
from hgeisim.errors import InputError, Problem, did_you_mean
from hgeisim.kernel.variants import variant_problem
from hgeisim.report.run import manifest, screen, summary
from hgeisim.runs.folder import read_run, write_run
from hgeisim.runs.picture_kinds import KINDS
from hgeisim.runs.recording import Recording
from hgeisim.runs.tables import texts_of
from hgeisim.scenario.load import OVERRIDES, load_scenario
from hgeisim.scenario.schema import Scenario

if TYPE_CHECKING:
    from hgeisim.plot.drawing import Drawing


@dataclass(frozen=True)
class Result(Recording):
    """A run, fresh or read back from its folder."""

    def __str__(self) -> str:
        """The run on one screen."""
        return screen(self.manifest, self.summary)

    __repr__ = __str__

    def plot(self, kind: str = "occupancy", hart: int = 0) -> Drawing:
        """Draw a picture, as `hgeisim plot --kind` does; `hart` counts for "lines" only."""
        from hgeisim.plot.drawing import Drawing, Picture  # noqa: PLC0415

        if kind not in KINDS:
            allowed = f"must be one of {', '.join(KINDS)}"
            raise InputError([Problem("plot", "kind", kind, allowed)])
        for name in KINDS[kind].needs:
            self.table(name)
        picture = Picture(kind, self.number(hart) if KINDS[kind].of_hart else None)
        return Drawing(picture.draw(self))

    def write(self, folder: str | Path) -> None:
        """Leave a run folder, with the timeline and all tables as CSV."""
        write_run(Path(folder), self.manifest, self.summary, self.timeline, texts_of(self.tables))


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
    return Result(found.manifest, found.summary, found.timeline, found.tables)
