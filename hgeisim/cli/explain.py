"""`hgeisim explain`: why HARTs had no line left in a run."""

from __future__ import annotations

from pathlib import Path

import click

from hgeisim.cli.console import print_json
from hgeisim.cli.options import PATH


@click.command("explain", short_help="Say why HARTs had no line left in a run.")
@click.argument("run_folder", type=PATH)
@click.option("--hart", type=click.IntRange(0), metavar="N", help="Only this HART.")
@click.option(
    "--top",
    type=click.IntRange(1),
    metavar="N",
    default=5,
    show_default=True,
    help="How many spans of time to show, those with most refusals first.",
)
@click.option("--json", "as_json", is_flag=True, help="Print all of them as one JSON document.")
def command(run_folder: Path, hart: int | None, top: int, as_json: bool) -> None:
    """Say why HARTs had no line left in a run: who held every line and since when, what the holders
    did with them, which rule refused whom, and whether another HART had a free line.

    \b
    Example:
      hgeisim run big-little --out out/big-little
      hgeisim explain out/big-little
    """
    from hgeisim.library.explanation import explain  # noqa: PLC0415 - late, for a quick --help

    found = explain(run_folder, hart, top=top)
    if as_json:
        print_json(found.document)
        return
    click.echo(str(found))
