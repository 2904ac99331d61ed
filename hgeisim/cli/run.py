"""hgeisim run: simulate a scenario in time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from hgeisim.cli.mail import beginning, chosen, mail_options, print_run_mail
from hgeisim.cli.options import PATH, Seconds, complete_scenarios, settings_option
from hgeisim.cli.own_patch import executing_option, variant_option
from hgeisim.cli.process import EXIT_FINDING, EXIT_NOTHING_NEW
from hgeisim.errors import InputError, Problem

if TYPE_CHECKING:
    from hgeisim.drivers.timed.base_runs import BaseRuns
    from hgeisim.drivers.timed.simulation import Record, Simulation
    from hgeisim.scenario.schema import Scenario


@click.command()
@click.argument("scenario", shell_complete=complete_scenarios)
@click.option("--out", type=PATH, help="Leave a run folder here.")
@variant_option("Kernel to simulate, such as v6.12+percpu-v5.")
@executing_option(
    "--base", "Kernel to compare with.  [default: for a patch of your own, that without it]"
)
@click.option("--preemption", help="Kernel preemption: none, voluntary, full, rt.")
@click.option("--until", help="How long to simulate, such as 20ms.")
@click.option("--seed", help="Seed of all random streams, a whole number.")
@settings_option
@click.option(
    "--record",
    type=click.Choice(["all", "occupancy"]),
    default="all",
    help="What to record; occupancy alone, without lock order, is quicker.",
)
@click.option("--power", is_flag=True, help="Plant faults, and tell how many would be noticed.")
@click.option("--seconds", type=Seconds(0, min_open=True), help="How long --power may take.")
@mail_options
@click.option("--strict", is_flag=True, help="Count accepted findings as new.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(
    scenario: str,
    *,
    out: Path | None,
    base: str | None,
    record: Literal["all", "occupancy"],
    power: bool,
    seconds: float | None,
    strict: bool,
    as_json: bool,
    **said: Any,
) -> int:
    """Simulate SCENARIO (a name or a file) and show how full each HART was.

    `max` and `mean` are taken lines, `!` marks more than the HART has; `exhausted` is the part of
    the time with no line left; `fail` counts allocations that found none.

    \b
    Example:
      hgeisim run big-little --out out/big-little
      hgeisim run big-little --variant v6.18 -s vm.web.vcpus=8 -s run.until=5ms

    A patch of your own, or any kernel with --base, is compared with its base: what that shows, too,
    in up to 40 seeds, does not count.

    With --power many broken kernels run: each statement of the KVM AIA code that the run reaches is
    left out, and so on, in three seeds.  What is not noticed is listed.  It takes 60 seconds of
    CPU, or --seconds.

    Exit status: 0 nothing new, 1 a new finding, or a vacuous run (no guest was entered, or no line
    handed out).
    """
    from hgeisim.cli.console import comparing  # noqa: PLC0415
    from hgeisim.cli.power import OF_A_RUN, check, of_runs  # noqa: PLC0415
    from hgeisim.drivers.timed.simulation import simulate  # noqa: PLC0415
    from hgeisim.report.run import summary  # noqa: PLC0415

    mail = {key: said.pop(key) for key in ("mail", "finding")}
    words = ["hgeisim", "run", scenario, *_said_again(said)]
    if power:
        check(
            {**mail, "out": out, "base": base, "record": record != "all", "strict": strict},
            OF_A_RUN,
        )
    elif seconds is not None:
        allowed = "is for --power; a run ends with --until"
        raise InputError([Problem("command line", "--seconds", f"{seconds:g}", allowed)])
    loaded = _checked(scenario, said, out)
    if power:
        return of_runs(scenario, loaded, seconds, as_json=as_json)
    runs = _base_runs(loaded, base, record)
    simulation = simulate(loaded, record=record)
    _run(simulation, loaded.run.until)
    with comparing(runs.variant if runs else None):
        result = summary(loaded, simulation, strict, runs)
    if out is not None:
        _write(out, loaded, simulation, result)
    if mail["mail"] and not as_json and result["findings"]:
        one = chosen(result["findings"], mail["finding"])
        order = simulation.lock_order
        reports = order.validator.reports if order else ()
        click.echo("".join(f"{line}\n" for line in beginning(result)), nl=False)
        print_run_mail(loaded, simulation.findings[one["id"]], reports, words)
    else:
        _show(loaded, result, out, as_json)
        if runs is not None and runs.runs and not as_json:
            told = f"{runs.variant} was run as well, which took {runs.seconds:.1f} s"
            click.echo(told, err=True)
    return EXIT_NOTHING_NEW if result["verdict"] == "sampled" else EXIT_FINDING


def _said_again(said: dict[str, Any]) -> Iterator[str]:
    """The options that change what runs, as they were said."""
    for name in ("variant", "preemption", "until", "seed"):
        if said[name] is not None:
            yield from (f"--{name}", str(said[name]))
    for setting in said["settings"]:
        yield from ("-s", setting)


def _checked(name: str, said: dict[str, Any], out: Path | None) -> Scenario:
    """The scenario with what the command line says; all problems are told at once, also those of
    the place for the run folder."""
    from hgeisim.kernel.variants import variant_problem  # noqa: PLC0415
    from hgeisim.runs.folder import check_replaceable  # noqa: PLC0415
    from hgeisim.scenario.load import load_scenario  # noqa: PLC0415

    settings = said.pop("settings")
    problems: list[Problem] = []
    try:
        if out is not None:
            check_replaceable(out)
    except InputError as error:
        problems += error.problems
    try:
        loaded = load_scenario(name, _values(said), variant_problem, settings)
    except InputError as error:
        raise InputError([*error.problems, *problems]) from error
    if problems:
        raise InputError(problems)
    return loaded


def _base_runs(scenario: Scenario, base: str | None, record: Record) -> BaseRuns | None:
    """The base to compare with: where one was asked for, or where the patch is a user's own."""
    from hgeisim.drivers.timed.base_runs import BaseRuns  # noqa: PLC0415
    from hgeisim.kernel.variants import (  # noqa: PLC0415
        own_files,
        variant_problem,
        without_last_patch,
    )
    from hgeisim.scenario.canonical import on_variant  # noqa: PLC0415

    variant = scenario.kernel.variant
    if base is None and not own_files(variant):
        return None
    if base and (problem := variant_problem(base)):
        raise InputError([Problem("command line", "--base", repr(base), problem)])
    return BaseRuns(on_variant(scenario, base or without_last_patch(variant)), record)


def _values(said: dict[str, Any]) -> dict[str, Any]:
    """Options as they would stand in a file: a seed is a number there."""
    from hgeisim.scenario.load import parse_value  # noqa: PLC0415

    return said | {"seed": None if said["seed"] is None else parse_value(said["seed"])}


def _run(simulation: Simulation, until_ns: int) -> None:
    """Simulate; on a terminal, tell how far the simulated time has come and what is left."""
    import sys  # noqa: PLC0415

    if not sys.stderr.isatty():
        simulation.run(until_ns)
        return
    from hgeisim.cli.console import simulated_time  # noqa: PLC0415

    with simulated_time(until_ns) as progress:
        simulation.run(until_ns, progress)


def _write(out: Path, scenario: Scenario, simulation: Simulation, result: dict[str, Any]) -> None:
    from hgeisim.report.lock_order import lock_files  # noqa: PLC0415
    from hgeisim.report.run import manifest  # noqa: PLC0415
    from hgeisim.runs.folder import write_run  # noqa: PLC0415
    from hgeisim.runs.tables import texts_of  # noqa: PLC0415

    files = texts_of(simulation.tables) | lock_files(scenario, simulation)
    write_run(out, manifest(scenario), result, simulation.timeline, files)


def _show(scenario: Scenario, result: dict[str, Any], out: Path | None, as_json: bool) -> None:
    from hgeisim.cli.console import print_json, print_table  # noqa: PLC0415
    from hgeisim.report.run import finding_lines, head  # noqa: PLC0415
    from hgeisim.report.run_tables import hart_tables  # noqa: PLC0415

    if as_json:
        print_json(result)
        return
    click.echo("\n".join(head(scenario)) + "\n")
    for title, heads, rows in hart_tables(result["harts"]):
        print_table(heads, rows, title)
        click.echo("")
    _show_measures(result)
    _show_msis(result["msis"])
    for line in finding_lines(result):
        click.echo(line)
    click.echo(f"\nfingerprint {result['fingerprint']}")
    if out is not None:
        click.echo(f"run folder {out}; `hgeisim plot {out}` draws it")


def _show_msis(msis: dict[str, Any]) -> None:
    """Show what has become of the MSIs."""
    from hgeisim.cli.console import print_table  # noqa: PLC0415
    from hgeisim.report.run_tables import MSI_HEADS, dropped_line, msi_rows  # noqa: PLC0415

    if rows := list(msi_rows(msis)):
        print_table(MSI_HEADS, rows)
        click.echo(f"{line}\n" if (line := dropped_line(msis)) else "")


def _show_measures(result: dict[str, Any]) -> None:
    """Show what `--record all` recorded."""
    from hgeisim.cli.console import print_table  # noqa: PLC0415
    from hgeisim.report.run_tables import SPAN_HEADS, measure_lines, span_rows  # noqa: PLC0415

    if "spans" not in result:
        click.echo("recorded: occupancy and events only; lock order was not checked\n")
        return
    if rows := list(span_rows(result)):
        print_table(SPAN_HEADS, rows)
        click.echo("")
    for line in measure_lines(result):
        click.echo(line)
    click.echo("")
