"""hgeisim run: simulate a scenario in time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hgeisim.cli.exits import EXIT_FINDING, EXIT_NOTHING_NEW

if TYPE_CHECKING:
    from hgeisim.drivers.timed.simulation import Simulation
    from hgeisim.scenario.schema import Scenario


@click.command()
@click.argument("scenario")
@click.option("--out", type=click.Path(path_type=Path), help="Leave a run folder here.")
@click.option("--variant", help="Kernel to simulate, such as v6.12+percpu-v5.")
@click.option("--preemption", help="Kernel preemption: none, voluntary, full, rt.")
@click.option("--until", help="How long to simulate, such as 20ms.")
@click.option("--seed", type=click.IntRange(0), help="Seed of all random streams.")
@click.option(
    "--record",
    type=click.Choice(["all", "occupancy"]),
    default="all",
    help="What to record; occupancy alone is quicker.",
)
@click.option("--strict", is_flag=True, help="Count accepted findings as new.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(
    scenario: str, out: Path | None, record: str, strict: bool, as_json: bool, **overrides: Any
) -> int:
    """Simulate SCENARIO (a name or a file) and show how full each HART was.

    `max` and `mean` are taken lines, `!` marks more than the HART has; `exhausted` is the part of
    the time with no line left; `fail` counts allocations that found none.

    \b
    Example:
      hgeisim run big-little --out out/big-little

    Exit status: 0 nothing new, 1 a new finding.
    """
    from hgeisim.cli.own_patch import known_variant  # noqa: PLC0415
    from hgeisim.drivers.timed.simulation import simulate  # noqa: PLC0415
    from hgeisim.record.detail_probes import with_details  # noqa: PLC0415
    from hgeisim.record.folder import check_replaceable  # noqa: PLC0415
    from hgeisim.record.probes import probed  # noqa: PLC0415
    from hgeisim.report.run import summary  # noqa: PLC0415
    from hgeisim.scenario.load import load_scenario  # noqa: PLC0415

    loaded = load_scenario(scenario, overrides, known_variant)
    if out is not None:
        check_replaceable(out)
    simulation = simulate(loaded, probes=with_details if record == "all" else probed)
    _run(simulation, loaded.run.until)
    result = summary(loaded, simulation, strict)
    if out is not None:
        _write(out, loaded, simulation, result)
    _show(loaded, result, out, as_json)
    return EXIT_FINDING if any(f["new"] for f in result["findings"]) else EXIT_NOTHING_NEW


def _run(simulation: Simulation, until: int) -> None:
    """Simulate; on a terminal, with a bar of the simulated time."""
    import sys  # noqa: PLC0415

    if not sys.stderr.isatty():
        simulation.run(until)
        return
    from rich.progress import Progress  # noqa: PLC0415

    from hgeisim.cli.console import console  # noqa: PLC0415

    with Progress(console=console(sys.stderr), transient=True) as progress:
        task = progress.add_task("simulated time", total=until)
        simulation.run(until, lambda now_ns: progress.update(task, completed=now_ns))


def _write(out: Path, scenario: Scenario, simulation: Simulation, result: dict[str, Any]) -> None:
    from hgeisim.record.folder import write_run  # noqa: PLC0415
    from hgeisim.record.tables import texts_of  # noqa: PLC0415
    from hgeisim.report.lock_files import lock_files  # noqa: PLC0415
    from hgeisim.report.run import manifest  # noqa: PLC0415

    files = texts_of(simulation.tables) | lock_files(scenario, simulation)
    write_run(out, manifest(scenario), result, simulation.timeline, files)


def _show(scenario: Scenario, result: dict[str, Any], out: Path | None, as_json: bool) -> None:
    from hgeisim.cli.console import print_json, print_table  # noqa: PLC0415
    from hgeisim.report.run import HEADS, finding_lines, head, rows  # noqa: PLC0415

    if as_json:
        print_json(result)
        return
    click.echo(f"{scenario.title or scenario.file}\n{head(scenario)}\n")
    print_table(HEADS, rows(result))
    click.echo("")
    for line in finding_lines(result):
        click.echo(line)
    click.echo(f"\nfingerprint {result['fingerprint']}")
    if out is not None:
        click.echo(f"run folder {out}; `hgeisim plot {out}` draws it")
