"""hgeisim trace: event traces of a real kernel.

Its commands import a trace, check the model against it, measure the costs of operations, print a
script that records one, and put a trace beside its simulation.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import click

from hgeisim.cli.options import PATH, json_option, variant_option
from hgeisim.cli.process import EXIT_BUDGET, EXIT_FINDING, EXIT_NOTHING_NEW
from hgeisim.errors import InputError, Problem

events_option = click.option(
    "--events", type=PATH, metavar="TABLE.toml",
    help="Other names of events and arguments.",
)  # fmt: skip
lines_option = click.option(
    "--lines", metavar="N[,N...]", help="Lines of each HART, or of every one."
)


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
    it, else the times as they were measured. Costs that the traces do not show are listed, and keep
    their defaults.

    The times are those of the machine that was traced: a machine model's are not hardware's.

    \b
    Example:
      hgeisim trace calibrate trace.txt.gz -o timing.toml
      cat machine-and-load.toml timing.toml > mine.toml; hgeisim run mine.toml
    """
    from hgeisim.cli.console import print_json, progress  # noqa: PLC0415 - late: --help is quick
    from hgeisim.library.trace import calibrate  # noqa: PLC0415

    made = calibrate(*files, events=events, progress=progress())
    if out is not None:
        made.write(out)
    if as_json:
        print_json(made.document)
    elif out is None:
        click.echo(str(made))
    else:
        click.echo(_summary(made.document, out))
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
def record_command(tool: Literal["tracefs", "bpftrace"], as_json: bool) -> int:
    """Print a shell script that records HGEI events on a RISC-V host with KVM.

    It is only printed: read it, copy it to that machine, and run it there as root. It says what it
    needs, reports the probes that the kernel does not have, goes on without them, and removes its
    own at the end.

    tracefs reads members of structures by offsets out of debug information; bpftrace by BTF.

    \b
    Example:
      hgeisim trace record --with tracefs > record.sh
      KVM_DEBUG=kvm.ko sh record.sh my-vm-monitor ...
    """
    from hgeisim.library.trace import recording_script  # noqa: PLC0415 - late: --help is quick

    script = recording_script(tool)
    if as_json:
        from hgeisim.cli.console import print_json  # noqa: PLC0415

        print_json({"with": tool, "script": script})
    else:
        click.echo(script, nl=False)
    return EXIT_NOTHING_NEW


@click.command("compare", short_help="A trace beside its simulation, in numbers.")
@click.argument("left", type=PATH)
@click.argument("right", type=PATH)
@json_option
def compare_command(left: Path, right: Path, as_json: bool) -> int:
    """Put two run folders side by side: LEFT of `trace import`, RIGHT of `run`, or any two.

    A cell holds `left / right`. `max` is the largest number of lines taken at a time.

    \b
    Example:
      hgeisim trace import trace.txt.gz --out out/real
      hgeisim run mine.toml --out out/simulated
      hgeisim trace compare out/real out/simulated
    """
    from hgeisim.cli.console import print_json, print_parts  # noqa: PLC0415 - late: --help is quick
    from hgeisim.library.trace import compare  # noqa: PLC0415

    made = compare(left, right)
    if as_json:
        print_json(made.document)
    else:
        print_parts(made.parts())
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

    `max` is the largest number of lines owned at a time; `moves` counts vCPUs that came with a line
    of another HART; `released` those that lost their VS-file; `off` the times from
    kvm_riscv_aia_disable to enable.  A line counts as owned from the return of its allocation to
    the entry of its free.

    TABLE.toml has a table for each event with another name, under the name that it has here:

    \b
      [alloc]
      event = "aia_alloc"
      vcpu = "owner"

    \b
    Example:
      hgeisim trace import trace.txt.gz --out out/traced --lines 3,1,3,2
    """
    from hgeisim.cli.console import print_json, print_parts, progress  # noqa: PLC0415 - late
    from hgeisim.library.trace import import_  # noqa: PLC0415
    from hgeisim.runs.folder import check_replaceable  # noqa: PLC0415

    given = lines_of_user(lines)
    if out is not None:
        check_replaceable(out)
    result = import_(file, lines=given, events=events, progress=progress())
    if out is not None:
        result.write(out)
    if as_json:
        print_json(result.document)
        return EXIT_NOTHING_NEW
    print_parts(result.parts())
    if out is not None:
        click.echo(f"run folder {out}; `hgeisim plot {out}` draws it")
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
    is entered with.  Where the trace leaves the order of two sections open, every order is tried.
    It ends at the first event that fits into none.  An event that must be missing is inferred, and
    named; after lost events, or where windows were joined, it is learned anew who owns what.  Other
    bases that would agree as well are listed.

    \b
    Example:
      hgeisim trace check trace.txt.gz --variant v6.12+percpu-v2 --lines 3,1,3,2

    Exit status: 0 the model agrees, 1 it does not, or the kernel did something that is not accepted
    as known, 4 too many orders to try.
    """
    from hgeisim.cli.console import print_result, progress  # noqa: PLC0415 - late: --help is quick
    from hgeisim.library.trace import check  # noqa: PLC0415

    given = lines_of_user(lines)
    made = check(file, variant, middle=middle, lines=given, events=events, progress=progress())
    print_result(made, as_json)
    if made.gave_up:
        return EXIT_BUDGET
    return EXIT_NOTHING_NEW if made.agrees else EXIT_FINDING


command.add_command(calibrate_command)
command.add_command(record_command)
command.add_command(compare_command)
