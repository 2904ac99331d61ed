"""Event traces of a real kernel: imported as a run, followed by the model, measured, compared.

`import_` and `compare` need no kernel: they stand on runs at rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack

from hgeisim.library.answer import Answer
from hgeisim.library.arguments import check_names, wrong
from hgeisim.library.progress import SILENT, Progress
from hgeisim.library.run import Result
from hgeisim.machine.topology import HGEIE_BITS_MAX
from hgeisim.report.grid import Grid, Part, plain
from hgeisim.runs.atomic_folder import put_file
from hgeisim.runs.folder import read_run
from hgeisim.runs.recording import Recording

if TYPE_CHECKING:
    from hgeisim.trace.event_names import Events


class Reading(TypedDict, total=False):
    """How to read a trace.

    `lines` are those of each HART, or one number for all; `events` is a file with other names of
    events and arguments.
    """

    lines: Sequence[int]
    events: str | Path | None
    progress: Progress


def _read_with(function: str, how: Mapping[str, Any]) -> tuple[Events, tuple[int, ...], Progress]:
    """The table of events, the lines of each HART and who shows how far it is."""
    check_names(function, how, tuple(Reading.__annotations__))
    lines = tuple(how.get("lines", ()))
    if not all(isinstance(each, int) and 0 <= each <= HGEIE_BITS_MAX for each in lines):
        allowed = f"must be numbers 0..{HGEIE_BITS_MAX}, such as (7, 7, 3, 3)"
        raise wrong((function, "lines"), repr(lines), allowed)
    return _events(how.get("events")), lines, how.get("progress", SILENT)


def _events(file: str | Path | None) -> Events:
    """The table of events, with the names of a user's file."""
    if file is None:
        from hgeisim.trace.event_names import Events  # noqa: PLC0415

        return Events()
    from hgeisim.trace.event_names_file import load_events  # noqa: PLC0415 - loads pydantic

    return load_events(Path(file))


def import_(file: str | Path, **how: Unpack[Reading]) -> Result:
    """Read a trace, ftrace text (plain or gzip), as a run: what became of the HGEI lines.

    It can be plotted, written and compared like a simulated one; of its tables there are owners and
    vcpus.
    """
    from hgeisim.report.imported_trace import document  # noqa: PLC0415
    from hgeisim.trace.import_trace import import_trace  # noqa: PLC0415
    from hgeisim.trace.imported_run import manifest_of, tables_of, timeline_of  # noqa: PLC0415

    table, lines, progress = _read_with("import_", how)
    with progress.reading() as reached:
        imported = import_trace(Path(file), table, lines, reached)
    timeline = timeline_of(imported.occupancy, imported.machine)
    summary, tables = document(imported, timeline), tables_of(imported.occupancy)
    return Result(manifest_of(imported), summary, timeline, tables)


@dataclass(frozen=True, repr=False)
class TraceCheck(Answer):
    """Whether the model agrees with a trace.

    `agrees` is False at the first event that fits into no order, or where the kernel did something
    that is `new`: not accepted as known.
    """

    document: dict[str, Any]
    new: list[str]

    @property
    def gave_up(self) -> bool:
        """Whether there were too many orders to try."""
        return bool(self.document["gave_up"])

    @property
    def agrees(self) -> bool:
        """Whether the model agrees, as far as it came."""
        return not (self.document["disagreement"] or self.new)

    def __str__(self) -> str:
        """The text of `hgeisim trace check`."""
        from hgeisim.report.conformance import text  # noqa: PLC0415

        return "\n".join(text(self.document))

    def _grid(self) -> Grid:
        rows = [(each["id"], each["text"]) for each in self.document["findings"]]
        return Grid(("finding", ""), rows)

    @property
    def _headline(self) -> str:
        facts = self.document
        how = "too many orders" if self.gave_up else "agrees" if self.agrees else "does not agree"
        return f"{facts['file']} on {facts['variant']}: the model {how}"


def check(
    file: str | Path, variant: str, *, middle: bool = False, **how: Unpack[Reading]
) -> TraceCheck:
    """Let the kernel paths of the model follow a trace, and compare each event.

    `variant` is the kernel that left the trace; `middle` says that lines are held when it begins.
    """
    from hgeisim.checks.finding import of_ids  # noqa: PLC0415
    from hgeisim.checks.known import new_findings  # noqa: PLC0415
    from hgeisim.drivers.traced.conformance import also_agreeing, check_trace  # noqa: PLC0415
    from hgeisim.drivers.traced.read_trace import read_trace  # noqa: PLC0415
    from hgeisim.kernel.variants import variant_problem  # noqa: PLC0415
    from hgeisim.library.own_patch import execute  # noqa: PLC0415
    from hgeisim.report.conformance import document  # noqa: PLC0415

    execute(variant)
    if problem := variant_problem(variant):
        raise wrong(("check", "variant"), repr(variant), problem)
    table, lines, progress = _read_with("check", how)
    with progress.reading() as reached:
        trace = read_trace(Path(file), table, lines, reached)
        conformance = check_trace(trace, variant, middle, reached)
        also = () if conformance.is_over else also_agreeing(trace, variant, middle, reached)
        result = document(conformance, also)
    found = of_ids(finding["id"] for finding in result["findings"])
    return TraceCheck(result, new_findings(found, variant))


@dataclass(frozen=True, repr=False)
class Comparison(Answer):
    """Two runs side by side, HART by HART."""

    document: dict[str, Any]

    def parts(self) -> Iterator[Part]:
        """The text of the command, as lines and a grid."""
        from hgeisim.report.run_comparison import HEADS, head, rows  # noqa: PLC0415

        yield from head(self.document)
        yield ""
        yield Grid(HEADS, rows(self.document))

    def __str__(self) -> str:
        """The text of `hgeisim trace compare`."""
        return plain(self.parts())

    def _grid(self) -> Grid:
        *_, grid = self.parts()
        return grid if isinstance(grid, Grid) else Grid((), ())

    @property
    def _headline(self) -> str:
        names = (each["title"] or each["folder"] for each in self.document["runs"])
        return " beside ".join(names)


def compare(left: str | Path | Recording, right: str | Path | Recording) -> Comparison:
    """Put two runs side by side: a trace and its simulation, or any two, fresh or as folders."""
    from hgeisim.report.run_comparison import document  # noqa: PLC0415

    sides = (left, right)
    names = tuple("a run" if isinstance(each, Recording) else str(each) for each in sides)
    runs = tuple(
        each if isinstance(each, Recording) else read_run(Path(each), with_tables=False)
        for each in sides
    )
    return Comparison(document((names[0], names[1]), (runs[0], runs[1])))


@dataclass(frozen=True, repr=False)
class Calibrated(Answer):
    """The costs of operations, as they were measured in traces."""

    document: dict[str, Any]

    def __str__(self) -> str:
        """A [timing] table for a scenario, in TOML."""
        from hgeisim.report.timing_table import text  # noqa: PLC0415

        return "\n".join(text(self.document))

    def _grid(self) -> Grid:
        rows = [(name, each["how"]) for name, each in self.document["measured"].items()]
        return Grid(("operation", "how it was measured"), rows)

    @property
    def _headline(self) -> str:
        measured, missing = len(self.document["timing"]), len(self.document["not_measured"])
        return f"calibration: {measured} entries measured, {missing} not"

    def write(self, path: str | Path) -> None:
        """Write the table into a file."""
        put_file(Path(path), f"{self}\n")


def calibrate(
    *files: str | Path, events: str | Path | None = None, progress: Progress = SILENT
) -> Calibrated:
    """Measure in traces what operations cost, as a [timing] table for a scenario."""
    from hgeisim.report.timing_table import document  # noqa: PLC0415
    from hgeisim.trace.calibration import Calibration  # noqa: PLC0415

    table, made = _events(events), Calibration()
    with progress.reading() as reached:
        for file in files:
            made.add(Path(file), table, reached)
    made.check()
    return Calibrated(document(made))


def recording_script(tool: Literal["tracefs", "bpftrace"]) -> str:
    """A shell script that records HGEI events on a RISC-V host with KVM."""
    if tool == "tracefs":
        from hgeisim.trace.tracefs_script import script  # noqa: PLC0415
    elif tool == "bpftrace":
        from hgeisim.trace.bpftrace_script import script  # noqa: PLC0415
    else:
        raise wrong(("recording_script", "tool"), repr(tool), "must be tracefs or bpftrace")
    return script()
