"""Runs in time: simulate a scenario, read a run folder back, and the result of both."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hgeisim.library.answer import Answer
from hgeisim.library.arguments import wrong
from hgeisim.library.progress import SILENT, Progress
from hgeisim.report.grid import Grid, Part, plain
from hgeisim.report.layout import count
from hgeisim.runs.folder import read_run, write_run
from hgeisim.runs.picture_kinds import KINDS
from hgeisim.runs.recording import Recording
from hgeisim.runs.tables import texts_of

if TYPE_CHECKING:
    from hgeisim.drivers.timed.base_runs import BaseRuns
    from hgeisim.drivers.timed.simulation import Simulation
    from hgeisim.library.scenarios import Source
    from hgeisim.plot.drawing import Drawing
    from hgeisim.scenario.schema import Scenario


@dataclass(frozen=True, repr=False)
class Result(Answer, Recording):
    """A run, fresh or read back from its folder.

    A fresh one has its `scenario` and its `simulation`, and `base_runs` if it was compared.
    """

    scenario: Scenario | None = field(default=None, compare=False)
    simulation: Simulation | None = field(default=None, compare=False)
    base_runs: BaseRuns | None = field(default=None, compare=False)

    @property
    def document(self) -> Mapping[str, Any]:
        """The JSON document of `hgeisim run`: the summary."""
        return self.summary

    def __str__(self) -> str:
        """The text of `hgeisim run`, or of `hgeisim trace import`."""
        return plain(self.parts())

    def _grid(self) -> Grid:
        from hgeisim.report.run_tables import HART_HEADS, hart_row  # noqa: PLC0415

        if "trace" in self.summary:
            grids = [part for part in self.parts() if isinstance(part, Grid)]
            return grids[0]
        rows = [hart_row(hart) for hart in self.harts]
        return Grid(("HART", *HART_HEADS), rows)

    @property
    def _headline(self) -> str:
        title, _, kernel = self.title.partition("\n")
        found = self.findings
        new = sum(bool(each.get("new")) for each in found)
        judged = f"{count(len(found), 'finding')}, {new} new" if found else "no finding"
        if "trace" in self.summary:
            judged = f"{len(self.harts)} HARTs, {self.summary['end_ns'] / 1e9:.3f} s"
        return f"{title}; {kernel}: {judged}"

    def parts(self) -> Iterator[Part]:
        """The text of the command, as lines and grids."""
        from hgeisim.report import imported_trace as trace  # noqa: PLC0415

        summary = dict(self.summary)
        if "trace" in summary:
            yield from trace.head(summary)
            yield ""
            yield Grid(trace.HEADS, trace.rows(summary))
            yield ""
            yield from trace.notes(summary)
        else:
            yield from _run_parts(self._own_scenario(), summary)
        yield f"\nfingerprint {summary['fingerprint']}"

    def _own_scenario(self) -> Scenario:
        """The scenario that ran; of a run that was read back, out of its manifest."""
        from hgeisim.scenario.load import scenario_from  # noqa: PLC0415

        return self.scenario or scenario_from(dict(self.manifest["scenario"]), "a scenario")

    def plot(self, kind: str = "occupancy", hart: int | None = None) -> Drawing:
        """Draw a picture, as `hgeisim plot --kind` does.

        `hart` counts for "lines" only; without it, the HART that was out of lines for longest.
        """
        from hgeisim.plot.drawing import Drawing, Picture  # noqa: PLC0415

        if kind not in KINDS:
            raise wrong(("plot", "kind"), kind, f"must be one of {', '.join(KINDS)}")
        for name in KINDS[kind].needs:
            self.table(name)
        whose = self.fullest_hart if hart is None else self.number(hart)
        return Drawing(Picture(kind, whose if KINDS[kind].of_hart else None).draw(self))

    def mail(self, finding: str | None = None, command: Sequence[str] = ()) -> str:
        """One finding as text for a mailing list: the worst new one, or that with an id.

        `command` are the words of the command that shows it again.  InputError: the run was read
        back, so that its evidence is gone, or it does not have the finding.
        """
        from hgeisim.library.findings import beginning, chosen  # noqa: PLC0415
        from hgeisim.report.layout import command_lines  # noqa: PLC0415
        from hgeisim.report.mail import run_mail  # noqa: PLC0415

        one = chosen(self.findings, finding)["id"]
        if self.simulation is None or self.scenario is None:
            allowed = "needs a fresh run: a folder does not keep the evidence"
            raise wrong(("mail", "finding"), one, allowed, "run the scenario again")
        order = self.simulation.lock_order
        reports = order.validator.reports if order else ()
        lines = run_mail(self.scenario, self.simulation.findings[one], reports)
        again = command_lines(command) if command else ()
        return "\n".join([*beginning(self.summary), *lines, *again])

    def write(self, folder: str | Path) -> None:
        """Leave a run folder, with the timeline and all tables as CSV.

        A fresh run leaves its lock order as well, as /proc has it.
        """
        files = texts_of(self.tables)
        if self.simulation is not None and self.scenario is not None:
            from hgeisim.report.lock_order import lock_files  # noqa: PLC0415

            files |= lock_files(self.scenario, self.simulation)
        write_run(Path(folder), self.manifest, self.summary, self.timeline, files)


def _run_parts(scenario: Scenario, summary: dict[str, Any]) -> Iterator[Part]:
    """The text of a run, but for its fingerprint."""
    from hgeisim.report import run_tables as tables  # noqa: PLC0415
    from hgeisim.report.run import finding_lines, head  # noqa: PLC0415

    yield from head(scenario)
    yield ""
    for title, heads, rows in tables.hart_tables(summary["harts"]):
        yield Grid(heads, rows, title)
        yield ""
    if "spans" in summary:
        yield from _grid(tables.SPAN_HEADS, tables.span_rows(summary), "")
    yield from _grid(tables.VM_HEADS, tables.vm_rows(summary), *tables.refusals(summary), "")
    if "locks" in summary:
        yield from tables.lock_lines(summary)
    else:
        yield "recorded: occupancy, events and vcpus; lock order was not checked"
    yield ""
    dropped = tables.dropped_line(summary["msis"])
    yield from _grid(tables.MSI_HEADS, tables.msi_rows(summary["msis"]), *dropped_lines(dropped))
    yield from finding_lines(summary)


def dropped_lines(line: str) -> tuple[str, ...]:
    """The line below the table of MSIs, if there is one, and an empty one."""
    return (line, "") if line else ("",)


def _grid(heads: Sequence[str], rows: Iterable[Sequence[object]], *below: str) -> Iterator[Part]:
    """A grid with lines below it; nothing where it has no rows."""
    if filled := list(rows):
        yield Grid(heads, filled)
        yield from below


def run(
    scenario: Source | Scenario,
    record: Literal["all", "occupancy"] = "all",
    base: str | None = None,
    *,
    strict: bool = False,
    progress: Progress = SILENT,
) -> Result:
    """Simulate a scenario.

    `record` is "all", or "occupancy" for the timeline and vCPU times, which is quicker.  `base` is
    the kernel to compare with; a patch of your own is compared with the kernel without it.
    `strict` counts accepted findings as new.
    """
    from hgeisim.drivers.timed.simulation import simulate  # noqa: PLC0415
    from hgeisim.library.scenarios import loaded  # noqa: PLC0415
    from hgeisim.report.run import manifest, summary  # noqa: PLC0415

    if record not in ("all", "occupancy"):
        raise wrong(("run", "record"), str(record), 'must be "all" or "occupancy"')
    _, made = loaded("run", scenario, {})
    runs = _base_runs(made, base, record)
    simulation = simulate(made, record=record)
    with progress.simulating(made.run.until) as reached:
        if reached is None:
            simulation.run(made.run.until)
        else:
            simulation.run(made.run.until, reached)
    if runs is None:
        found = summary(made, simulation, strict)
    else:
        with progress.comparing(runs.variant):
            found = summary(made, simulation, strict, runs)
    facts = manifest(made)
    return Result(facts, found, simulation.timeline, simulation.tables, made, simulation, runs)


def _base_runs(
    scenario: Scenario, base: str | None, record: Literal["all", "occupancy"]
) -> BaseRuns | None:
    """The base to compare with: where one was asked for, or where the patch is a user's own."""
    from hgeisim.drivers.timed.base_runs import BaseRuns  # noqa: PLC0415
    from hgeisim.library.scenarios import base_of  # noqa: PLC0415
    from hgeisim.scenario.canonical import on_variant  # noqa: PLC0415

    variant = base_of("run", scenario.kernel.variant, base)
    return None if variant is None else BaseRuns(on_variant(scenario, variant), record)


def read(folder: str | Path, *, with_tables: bool = True) -> Result:
    """Read a run folder back, also one of `hgeisim trace import`.  InputError names what is
    damaged; without tables, a damaged table does no harm."""
    found = read_run(Path(folder), with_tables=with_tables)
    return Result(found.manifest, found.summary, found.timeline, found.tables)
