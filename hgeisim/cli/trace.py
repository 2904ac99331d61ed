"""hgeisim trace: event traces of a real kernel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from hgeisim.cli import trace_calibrate, trace_compare, trace_record
from hgeisim.cli.exits import EXIT_BUDGET, EXIT_FINDING, EXIT_NOTHING_NEW
from hgeisim.cli.own_patch import variant_option
from hgeisim.cli.paths import PATH
from hgeisim.cli.trace_options import (
    events_of_user,
    events_option,
    json_option,
    lines_of_user,
    lines_option,
    reading_progress,
)
from hgeisim.errors import InputError, Problem


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
    from hgeisim.record.folder import check_replaceable  # noqa: PLC0415 - late: --help is quick
    from hgeisim.trace.folder import timeline_of, write_folder  # noqa: PLC0415
    from hgeisim.trace.imported import import_trace  # noqa: PLC0415
    from hgeisim.trace.summary import document  # noqa: PLC0415

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
    from hgeisim.checks.cause import of_ids  # noqa: PLC0415
    from hgeisim.checks.known import new_findings  # noqa: PLC0415
    from hgeisim.drivers.traced.conformance import check_trace  # noqa: PLC0415
    from hgeisim.drivers.traced.distinction import also_agreeing  # noqa: PLC0415
    from hgeisim.drivers.traced.reading import read_trace  # noqa: PLC0415
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
    from hgeisim.trace.summary import HEADS, head, notes, rows  # noqa: PLC0415

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


command.add_command(trace_calibrate.command)
command.add_command(trace_record.command)
command.add_command(trace_compare.command)
