"""hgeisim trace compare: a trace beside its simulation."""

from __future__ import annotations

from pathlib import Path

import click

from hgeisim.cli.exits import EXIT_NOTHING_NEW
from hgeisim.cli.paths import PATH
from hgeisim.cli.trace_options import json_option


@click.command("compare", short_help="A trace beside its simulation, in numbers.")
@click.argument("left", type=PATH)
@click.argument("right", type=PATH)
@json_option
def command(left: Path, right: Path, as_json: bool) -> int:
    """Put two run folders side by side: LEFT of `trace import`, RIGHT of `run`, or any two.

    A cell holds `left / right`. `max` are the most lines taken at once.

    \b
    Example:
      hgeisim trace import trace.txt.gz --out out/real
      hgeisim run mine.toml --out out/simulated
      hgeisim trace compare out/real out/simulated
    """
    from hgeisim.cli.console import print_json, print_table  # noqa: PLC0415 - late: --help is quick
    from hgeisim.record.folder import read_run  # noqa: PLC0415
    from hgeisim.trace.comparison import HEADS, document, head, rows  # noqa: PLC0415

    result = document((str(left), str(right)), (read_run(left), read_run(right)))
    if as_json:
        print_json(result)
        return EXIT_NOTHING_NEW
    for line in head(result):
        click.echo(line)
    click.echo("")
    print_table(HEADS, rows(result))
    return EXIT_NOTHING_NEW
