"""hgeisim sweep: every combination of some values, kept in one file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from hgeisim.cli.options import PATH, complete_scenarios, json_option, variant_option
from hgeisim.cli.process import Stopped
from hgeisim.cli.study_options import (
    as_arguments,
    check_places,
    executor_option,
    level_option,
    metric_option,
    picture_option,
    scenario_options,
    warm_up_option,
)


@click.command()
@click.argument("scenario", shell_complete=complete_scenarios)
@click.option(
    "-x", "axes", metavar="KEY=VALUES", multiple=True, help="What to vary; repeatable, see below."
)
@click.option("-n", "--replications", type=int, help="Runs at each point. Default: 10.")
@click.option("-o", "--out", type=PATH, help="The file of the sweep. Default: NAME.sqlite, here.")
@variant_option("Kernel to simulate, such as v6.12+percpu-v5.")
@metric_option
@click.option("--quantile", type=float, metavar="PERCENT", help="Show quantiles, not means.")
@scenario_options
@warm_up_option("none")
@level_option
@executor_option
@click.option("--csv", type=PATH, metavar="FILE", help="Export every run as CSV.")
@click.option("--parquet", type=PATH, metavar="FILE", help="The same as Parquet (needs polars).")
@picture_option("Draw the first metric")
@json_option
def command(
    scenario: str,
    *,
    axes: tuple[str, ...],
    out: Path | None,
    metrics: tuple[str, ...],
    csv: Path | None,
    parquet: Path | None,
    pictures: tuple[Path, ...],
    as_json: bool,
    **said: Any,
) -> int:
    """Run SCENARIO at every combination of some values, several times each.

    VALUES are a list, a range, or both: 8,16,32 and 1..7 and 8..64..8 (every eighth).  Keys are
    those of -s; `all` stands for every entry of a list: machine.harts.all.guest_files.

    \b
    Example:
      hgeisim sweep big-little -x machine.harts.1.guest_files=1..7 \\
          -x vm.0.vcpus=8,16,32 -n 5
      hgeisim sweep big-little -x kernel.variant=v6.18,v7.1,v7.3 --csv runs.csv

    Every run is kept in one SQLite file.  The same command goes on where it was stopped, by Ctrl-C,
    by kill -9 or for want of power; more values or replications may be asked for, too.
    """
    from hgeisim.cli.console import print_json, print_parts, progress  # noqa: PLC0415
    from hgeisim.report.sweep import parts  # noqa: PLC0415
    from hgeisim.study.sweep import polars_or_error, sweep  # noqa: PLC0415

    exports = [path for path in (csv, parquet) if path is not None]
    check_places(pictures, exports)
    if parquet is not None:
        polars_or_error()
    place = out or Path(f"{Path(scenario).stem}.sqlite")
    as_arguments(said)
    given = {key: value for key, value in said.items() if value is not None}
    try:
        found = sweep(scenario, axes, place, metrics=metrics, progress=progress(), **given)
    except (KeyboardInterrupt, Stopped):
        if place.exists():
            click.echo(f"stopped; the runs made so far are in {place}: say it again", err=True)
        raise
    if csv is not None:
        found.write_csv(csv)
    if parquet is not None:
        found.write_parquet(parquet)
    for path in pictures:
        found.plot().save(path)
    if as_json:
        print_json(found.document)
        return 0
    print_parts(parts(found.document))
    for path in [*exports, *pictures]:
        click.echo(str(path))
    return 0
