"""hgeisim trace calibrate: the costs of operations, from traces."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from hgeisim.cli.exits import EXIT_NOTHING_NEW
from hgeisim.cli.paths import PATH
from hgeisim.cli.trace_options import (
    events_of_user,
    events_option,
    json_option,
    reading_progress,
)


@click.command("calibrate", short_help="A timing table from traces.")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=PATH)
@click.option("-o", "--out", type=PATH, help="Write the table here.")
@events_option
@json_option
def command(files: tuple[Path, ...], out: Path | None, events: Path | None, as_json: bool) -> int:
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
    from hgeisim.record.place import put_file  # noqa: PLC0415
    from hgeisim.trace.calibration import Calibration  # noqa: PLC0415
    from hgeisim.trace.timing_table import document, text  # noqa: PLC0415

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
