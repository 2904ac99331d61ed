"""hgeisim trace: event traces of a real kernel.

Its commands import a trace, check the model against it, measure the costs of operations, print a
script that records one, and put a trace beside its simulation.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hgeisim.cli.options import PATH
from hgeisim.cli.own_patch import variant_option
from hgeisim.cli.process import EXIT_BUDGET, EXIT_FINDING, EXIT_NOTHING_NEW
from hgeisim.errors import InputError, Problem

if TYPE_CHECKING:
    from hgeisim.trace.event_names import Events
    from hgeisim.trace.import_trace import Progress


events_option = click.option(
    "--events", type=PATH, metavar="TABLE.toml",
    help="Other names of events and arguments.",
)  # fmt: skip
lines_option = click.option(
    "--lines", metavar="N[,N...]", help="Lines of each HART, or of every one."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


def events_of_user(path: Path | None) -> Events:
    """The table of events, with the names of a user's file."""
    if path is None:
        from hgeisim.trace.event_names import Events  # noqa: PLC0415 - late: --help is quick

        return Events()
    from hgeisim.trace.event_names_file import load_events  # noqa: PLC0415 - loads pydantic

    return load_events(path)


def lines_of_user(text: str | None) -> tuple[int, ...]:
    """Read the lines of each HART."""
    from hgeisim.machine.topology import HGEIE_BITS_MAX  # noqa: PLC0415

    words = text.split(",") if text is not None else []
    if all(_is_number(word) and int(word) <= HGEIE_BITS_MAX for word in words):
        return tuple(map(int, words))
    allowed = f"must be numbers 0..{HGEIE_BITS_MAX} with commas between, such as 7,7,3,3"
    raise InputError([Problem("--lines", "", repr(text), allowed)])


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdecimal() and len(word) <= 5


@contextmanager
def reading_progress() -> Iterator[Progress | None]:
    """Show on a terminal how many records were read; how many there are is not known."""
    from hgeisim.cli.console import console  # noqa: PLC0415

    if not sys.stderr.isatty():
        yield None
        return
    with console(sys.stderr).status("reading") as status:
        yield lambda count: status.update(f"{count:,} events")


@click.command("calibrate", short_help="A timing table from traces.")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=PATH)
@click.option("-o", "--out", type=PATH, help="Write the table here.")
@events_option
@json_option
def calibrate_command(
    files: tuple[Path, ...], out: Path | None, events: Path | None, as_json: bool
) -> int:
    """Measure in FILEs what operations cost, as a [timing] table for a scenario.

    Each entry comes with how it was measured, how often, and quantiles; "at most" where more than
    the cost itself lies between the two events. A law is given where the times do not contradict
    it, else the times as they were measured. What the traces do not tell is listed, and keeps its
    default.

    The times are those of the machine that was traced: a machine model's are not hardware's.

    \b
    Example:
      hgeisim trace calibrate trace.txt.gz -o timing.toml
      cat machine-and-load.toml timing.toml > mine.toml; hgeisim run mine.toml
    """
    from hgeisim.cli.console import print_json  # noqa: PLC0415 - late: --help is quick
    from hgeisim.report.timing_table import document, text  # noqa: PLC0415
    from hgeisim.runs.atomic_folder import put_file  # noqa: PLC0415
    from hgeisim.trace.calibration import Calibration  # noqa: PLC0415

    table, made = events_of_user(events), Calibration()
    with reading_progress() as progress:
        for file in files:
            made.add(file, table, progress)
    made.check()
    result = document(made)
    toml = "\n".join(text(result)) + "\n"
    if out is not None:
        put_file(out, toml)
    if as_json:
        print_json(result)
    elif out is None:
        click.echo(toml, nl=False)
    else:
        click.echo(_summary(result, out))
    return EXIT_NOTHING_NEW


def _summary(result: dict[str, Any], out: Path) -> str:
    measured, missing = len(result["timing"]), ", ".join(result["not_measured"])
    return f"{out}: {measured} entries; not measured: {missing}\n{result['warning']}"


@click.command("record", short_help="A script that records a trace on your machine.")
@click.option(
    "--with", "tool", required=True, type=click.Choice(["tracefs", "bpftrace"]),
    help="What records: kprobes by way of tracefs, or bpftrace.",
)  # fmt: skip
@json_option
def record_command(tool: str, as_json: bool) -> int:
    """Print a shell script that records HGEI events on a RISC-V host with KVM.

    It is only printed: read it, copy it to that machine, and run it there as root. It says what it
    needs, leaves out and tells what the kernel does not have, and removes its probes at the end.

    tracefs reads members of structures by offsets out of debug information; bpftrace by BTF.

    \b
    Example:
      hgeisim trace record --with tracefs > record.sh
      KVM_DEBUG=kvm.ko sh record.sh my-vm-monitor ...
    """
    if tool == "tracefs":
        from hgeisim.trace.tracefs_script import script  # noqa: PLC0415 - late: --help is quick
    else:
        from hgeisim.trace.bpftrace_script import script  # noqa: PLC0415
    if as_json:
        from hgeisim.cli.console import print_json  # noqa: PLC0415

        print_json({"with": tool, "script": script()})
    else:
        click.echo(script(), nl=False)
    return EXIT_NOTHING_NEW


@click.command("compare", short_help="A trace beside its simulation, in numbers.")
@click.argument("left", type=PATH)
@click.argument("right", type=PATH)
@json_option
def compare_command(left: Path, right: Path, as_json: bool) -> int:
    """Put two run folders side by side: LEFT of `trace import`, RIGHT of `run`, or any two.

    A cell holds `left / right`. `max` are the most lines taken at once.

    \b
    Example:
      hgeisim trace import trace.txt.gz --out out/real
      hgeisim run mine.toml --out out/simulated
      hgeisim trace compare out/real out/simulated
    """
    from hgeisim.cli.console import print_json, print_table  # noqa: PLC0415 - late: --help is quick
    from hgeisim.report.run_comparison import HEADS, document, head, rows  # noqa: PLC0415
    from hgeisim.runs.folder import read_run  # noqa: PLC0415

    runs = read_run(left, with_tables=False), read_run(right, with_tables=False)
    result = document((str(left), str(right)), runs)
    if as_json:
        print_json(result)
        return EXIT_NOTHING_NEW
    for line in head(result):
        click.echo(line)
    click.echo("")
    print_table(HEADS, rows(result))
    return EXIT_NOTHING_NEW


@click.group("trace")
def command() -> None:
    """Read event traces (ftrace) of a real kernel.

    \b
    Example:
      hgeisim trace import trace.txt.gz --out out/traced
      hgeisim plot out/traced
      hgeisim trace check trace.txt.gz --variant v6.12
      hgeisim trace calibrate trace.txt.gz
    """


@command.command("import", short_help="A table and a run folder from a trace.")
@click.argument("file", type=PATH)
@click.option("--out", type=PATH, help="Leave a run folder here.")
@events_option
@lines_option
@json_option
def import_command(
    file: Path, out: Path | None, events: Path | None, lines: str | None, as_json: bool
) -> int:
    """Show what became of the HGEI lines in FILE, ftrace text (plain or gzip).

    `max` are the most lines owned at once; `moves` counts vCPUs that came with a line of another
    HART; `released` those that lost their VS-file; `off` the times from kvm_riscv_aia_disable to
    enable.  A line counts as owned from the return of its allocation to the entry of its free.

    TABLE.toml has a table for each event that is called otherwise, by the name it has here:

    \b
      [alloc]
      event = "aia_alloc"
      vcpu = "owner"

    \b
    Example:
      hgeisim trace import trace.txt.gz --out out/traced --lines 3,1,3,2
    """
    from hgeisim.report.imported_trace import document  # noqa: PLC0415 - late: --help is quick
    from hgeisim.runs.folder import check_replaceable  # noqa: PLC0415
    from hgeisim.trace.import_trace import import_trace  # noqa: PLC0415
    from hgeisim.trace.imported_run import timeline_of, write_folder  # noqa: PLC0415

    given, table = lines_of_user(lines), events_of_user(events)
    if out is not None:
        check_replaceable(out)
    with reading_progress() as progress:
        imported = import_trace(file, table, given, progress)
    timeline = timeline_of(imported.occupancy, imported.machine)
    result = document(imported, timeline)
    if out is not None:
        write_folder(out, imported, timeline, result)
    _show(result, out, as_json)
    return EXIT_NOTHING_NEW


@command.command("check", short_help="Whether the model agrees with a trace.")
@click.argument("file", type=PATH)
@variant_option("Kernel that left the trace, such as v6.12.", required=True)
@events_option
@lines_option
@click.option("--middle", is_flag=True, help="Lines are held when the trace begins.")
@json_option
def check_command(
    file: Path, variant: str, events: Path | None, lines: str | None, middle: bool, as_json: bool
) -> int:
    """Let the kernel paths of the model follow FILE, ftrace text (plain or gzip).

    Each event is compared with what the path does at that probe: lines handed out and refused, who
    is kicked by an SGEI, who is released when a CPU goes offline and in which order, what a guest
    is entered with.  Where the trace does not tell the order of two sections, every order is tried.
    It ends at the first event that fits into none.  An event that must be missing is inferred, and
    named; after lost events, or where windows were joined, it is learned anew who owns what.  Other
    bases that would agree as well are listed.

    \b
    Example:
      hgeisim trace check trace.txt.gz --variant v6.12+percpu-v2 --lines 3,1,3,2

    Exit status: 0 the model agrees, 1 it does not, or the kernel did something that is not accepted
    as known, 4 too many orders to try.
    """
    from hgeisim.checks.finding import of_ids  # noqa: PLC0415
    from hgeisim.checks.known import new_findings  # noqa: PLC0415
    from hgeisim.drivers.traced.conformance import also_agreeing, check_trace  # noqa: PLC0415
    from hgeisim.drivers.traced.read_trace import read_trace  # noqa: PLC0415
    from hgeisim.report.conformance import document  # noqa: PLC0415

    _check_variant(variant)
    given, table = lines_of_user(lines), events_of_user(events)
    with reading_progress() as progress:
        trace = read_trace(file, table, given, progress)
        conformance = check_trace(trace, variant, middle, progress)
        also = () if conformance.is_over else also_agreeing(trace, variant, middle, progress)
        result = document(conformance, also)
    _show_check(result, as_json)
    if result["gave_up"]:
        return EXIT_BUDGET
    new = new_findings(of_ids(finding["id"] for finding in result["findings"]), variant)
    return EXIT_FINDING if result["disagreement"] or new else EXIT_NOTHING_NEW


def _check_variant(variant: str) -> None:
    from hgeisim.kernel.variants import variant_problem  # noqa: PLC0415

    if wrong := variant_problem(variant):
        raise InputError([Problem("--variant", "", repr(variant), wrong)])


def _show_check(result: dict[str, Any], as_json: bool) -> None:
    from hgeisim.cli.console import print_json  # noqa: PLC0415
    from hgeisim.report.conformance import text  # noqa: PLC0415

    if as_json:
        print_json(result)
    else:
        click.echo("\n".join(text(result)))


def _show(result: dict[str, Any], out: Path | None, as_json: bool) -> None:
    from hgeisim.cli.console import print_json, print_table  # noqa: PLC0415
    from hgeisim.report.imported_trace import HEADS, head, notes, rows  # noqa: PLC0415

    if as_json:
        print_json(result)
        return
    for line in head(result):
        click.echo(line)
    click.echo("")
    print_table(HEADS, rows(result))
    click.echo("")
    for line in notes(result):
        click.echo(line)
    click.echo(f"\nfingerprint {result['fingerprint']}")
    if out is not None:
        click.echo(f"run folder {out}; `hgeisim plot {out}` draws it")


command.add_command(calibrate_command)
command.add_command(record_command)
command.add_command(compare_command)
