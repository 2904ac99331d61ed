"""`hgeisim plot`: the picture of a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from hgeisim.cli.console import print_json
from hgeisim.errors import InputError, Problem

SUFFIXES = (".png", ".svg")


@click.command("plot")
@click.argument("run_folder", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    "outputs",
    multiple=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Where to draw it, .png or .svg; may be given again.  Default: both, in RUN_FOLDER.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the paths as one JSON document.")
def command(run_folder: Path, outputs: tuple[Path, ...], as_json: bool) -> None:
    """Draw how the HGEI lines of each HART fill up, from a folder that `hgeisim run` left.

    Each HART is a panel: the lines taken under the dashed line of those it has; the time in which
    none was left is shaded, and lines that do not exist are hatched.

    \b
    Example:
      hgeisim run big-little --out out/big-little
      hgeisim plot out/big-little -o picture.svg
    """
    paths = outputs or tuple(run_folder / f"occupancy{suffix}" for suffix in SUFFIXES)
    _check_suffixes(paths)
    _draw(run_folder, paths)
    if as_json:
        print_json({"pictures": [str(path) for path in paths]})
        return
    for path in paths:
        click.echo(path)


def _draw(run_folder: Path, paths: tuple[Path, ...]) -> None:
    from hgeisim.record.folder import read_run  # noqa: PLC0415 - late, for a quick --help

    run = read_run(run_folder)
    from hgeisim.plot.occupancy import occupancy_figure, save  # noqa: PLC0415 - matplotlib

    figure = occupancy_figure(run.timeline, title_of(run.manifest))
    for path in paths:
        try:
            save(figure, path)
        except OSError as error:
            reason = f"cannot be written: {error.strerror}"
            raise InputError([Problem(str(path), "", "", reason)]) from None


def title_of(manifest: dict[str, Any]) -> str:
    """Say what ran: the title of the scenario, and below it the kernel and the seed."""
    title = manifest["scenario"].get("title") or "A run without a title"
    if "trace" in manifest["scenario"]:
        return f"{title}\nan event trace of a real kernel"
    kernel = f"{manifest['variant']}, preemption {manifest['preemption']}"
    return f"{title}\n{kernel}, seed {manifest['seed']}"


def _check_suffixes(paths: tuple[Path, ...]) -> None:
    problems = [
        Problem(str(path), "", "", f"must end in {' or '.join(SUFFIXES)}")
        for path in paths
        if path.suffix.lower() not in SUFFIXES
    ]
    if problems:
        raise InputError(problems)
