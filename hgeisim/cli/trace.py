"""hgeisim trace: event traces of a real kernel."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hgeisim.cli.exits import EXIT_BUDGET, EXIT_FINDING, EXIT_NOTHING_NEW
from hgeisim.errors import InputError, Problem

if TYPE_CHECKING:
    from hgeisim.trace.events import Events
    from hgeisim.trace.imported import Progress


@click.group("trace")
def command() -> None:
    """Read event traces (ftrace) of a real kernel.

    \b
    Example:
      hgeisim trace import trace.txt.gz --out out/traced
      hgeisim plot out/traced
      hgeisim trace check trace.txt.gz --variant v6.12
    """


@command.command("import", short_help="A table and a run folder from a trace.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Leave a run folder here.")
@click.option(
    "--events", type=click.Path(path_type=Path), metavar="TABLE.toml",
    help="Other names of events and arguments.",
)  # fmt: skip
@click.option("--lines", metavar="N[,N...]", help="Lines of each HART, or of every one.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
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

    given, table = _lines(lines), _events(events)
    if out is not None:
        check_replaceable(out)
    with _progress() as progress:
        imported = import_trace(file, table, given, progress)
    timeline = timeline_of(imported.occupancy, imported.machine)
    result = document(imported, timeline)
    if out is not None:
        write_folder(out, imported, timeline, result)
    _show(result, out, as_json)
    return EXIT_NOTHING_NEW


@command.command("check", short_help="Whether the model agrees with a trace.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--variant", required=True, help="Kernel that left the trace, such as v6.12.")
@click.option(
    "--events", type=click.Path(path_type=Path), metavar="TABLE.toml",
    help="Other names of events and arguments.",
)  # fmt: skip
@click.option("--lines", metavar="N[,N...]", help="Lines of each HART, or of every one.")
@click.option("--middle", is_flag=True, help="Lines are held when the trace begins.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def check_command(
    file: Path, variant: str, events: Path | None, lines: str | None, middle: bool, as_json: bool
) -> int:
    """Let the kernel paths of the model follow FILE, ftrace text (plain or gzip).

    Each event is compared with what the path does at that probe: lines handed out and refused, who
    is kicked by an SGEI, who is released when a CPU goes offline and in which order, what a guest
    is entered with.  Where the trace does not tell the order of two sections, every order is tried.
    It ends at the first event that fits into none.  An event that must be missing is inferred, and
    named; after lost events it is learned anew who owns what.

    \b
    Example:
      hgeisim trace check trace.txt.gz --variant v6.12+percpu-v2 --lines 3,1,3,2

    Exit status: 0 the model agrees, 1 it does not, 4 too many orders to try.
    """
    from hgeisim.drivers.traced.conformance import check_trace  # noqa: PLC0415
    from hgeisim.drivers.traced.reading import read_trace  # noqa: PLC0415
    from hgeisim.report.conformance import document  # noqa: PLC0415

    _check_variant(variant)
    given, table = _lines(lines), _events(events)
    with _progress() as progress:
        trace = read_trace(file, table, given, progress)
        result = document(check_trace(trace, variant, middle, progress))
    _show_check(result, as_json)
    if result["gave_up"]:
        return EXIT_BUDGET
    return EXIT_FINDING if result["disagreement"] else EXIT_NOTHING_NEW


def _check_variant(variant: str) -> None:
    from hgeisim.cli.own_patch import known_variant  # noqa: PLC0415

    if wrong := known_variant(variant):
        raise InputError([Problem("--variant", "", repr(variant), wrong)])


def _show_check(result: dict[str, Any], as_json: bool) -> None:
    from hgeisim.cli.console import print_json  # noqa: PLC0415
    from hgeisim.report.conformance import text  # noqa: PLC0415

    if as_json:
        print_json(result)
    else:
        click.echo("\n".join(text(result)))


def _events(path: Path | None) -> Events:
    if path is None:
        from hgeisim.trace.events import Events  # noqa: PLC0415

        return Events()
    from hgeisim.trace.event_file import load_events  # noqa: PLC0415 - loads pydantic

    return load_events(path)


def _lines(text: str | None) -> tuple[int, ...]:
    """Read the lines of each HART."""
    from hgeisim.machine.topology import HGEIE_BITS_MAX  # noqa: PLC0415

    words = text.split(",") if text is not None else []
    if all(word.isascii() and word.isdigit() and int(word) <= HGEIE_BITS_MAX for word in words):
        return tuple(map(int, words))
    allowed = f"must be numbers 0..{HGEIE_BITS_MAX} with commas between, such as 7,7,3,3"
    raise InputError([Problem("--lines", "", repr(text), allowed)])


@contextmanager
def _progress() -> Iterator[Progress | None]:
    """Show on a terminal how many records were read; how many there are is not known."""
    import sys  # noqa: PLC0415

    from hgeisim.cli.console import console  # noqa: PLC0415

    if not sys.stderr.isatty():
        yield None
        return
    with console(sys.stderr).status("reading") as status:
        yield lambda count: status.update(f"{count:,} events")


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
