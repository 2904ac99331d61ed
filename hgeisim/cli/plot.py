"""`hgeisim plot`: the pictures of a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from hgeisim.cli.console import print_json
from hgeisim.cli.options import PATH
from hgeisim.errors import InputError, Problem
from hgeisim.runs.picture_kinds import KINDS, SUFFIXES, stem_of

if TYPE_CHECKING:
    from hgeisim.runs.recording import Recording


_KINDS = "\n".join(f"{name:<11} {kind.shows}" for name, kind in KINDS.items())
HELP = f"""Draw a folder that `hgeisim run` or `trace import` left.

\b
{_KINDS}
all         each of them that the folder has records for

\b
Example:
  hgeisim run big-little --out out/big-little
  hgeisim plot out/big-little --kind lines --hart 5 -o picture.svg
"""


@click.command("plot", help=HELP)
@click.argument("run_folder", type=PATH)
@click.option(
    "-k",
    "--kind",
    type=click.Choice([*KINDS, "all"]),
    metavar="KIND",
    help="Which picture, see above.  Default: occupancy.",
)
@click.option(
    "--hart",
    type=click.IntRange(0),
    metavar="N",
    help="Whose lines.  Default: the HART that was out of them for longest.",
)
@click.option(
    "-o",
    "--output",
    "outputs",
    multiple=True,
    metavar="FILE",
    type=PATH,
    help="Where to draw it, .png or .svg; may be given again.  Default: both, in RUN_FOLDER.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the paths as one JSON document.")
def command(
    run_folder: Path, kind: str | None, hart: int | None, outputs: tuple[Path, ...], as_json: bool
) -> None:
    """Draw a run folder."""
    from hgeisim.library.run import read  # noqa: PLC0415 - late, for a quick --help

    _check_options(kind, hart, outputs)
    asked = kind or ("occupancy" if hart is None else "lines")
    bare = asked != "all" and KINDS[asked].timeline_only
    recording = read(run_folder, with_tables=not bare)
    whose = recording.fullest_hart if hart is None else hart
    paths = []
    for name in _drawable(run_folder, recording, asked, hart):
        stem = stem_of(name, whose if KINDS[name].of_hart else None)
        drawing = recording.plot(name, whose)
        for place in outputs or [run_folder / f"{stem}{suffix}" for suffix in SUFFIXES]:
            drawing.save(place)
            paths.append(str(place))
    if as_json:
        print_json({"pictures": paths})
        return
    for path in paths:
        click.echo(path)


def _check_options(kind: str | None, hart: int | None, outputs: tuple[Path, ...]) -> None:
    problems = [
        Problem(str(path), "", "", f"must end in {' or '.join(SUFFIXES)}")
        for path in outputs
        if path.suffix.lower() not in SUFFIXES
    ]
    if kind == "all" and outputs:
        problems.append(Problem("command line", "--output", "", "is for one picture, not for all"))
    if kind not in (None, "lines", "all") and hart is not None:
        problems.append(Problem("command line", "--hart", str(hart), "goes with --kind lines"))
    if problems:
        raise InputError(problems)


def _drawable(run_folder: Path, recording: Recording, kind: str, hart: int | None) -> list[str]:
    """The kinds that are asked for, if the run has what they need."""
    can = [name for name in KINDS if not recording.missing(name)]
    if kind != "all" and kind not in can:
        files = ", ".join(f"{name}.csv" for name in recording.missing(kind))
        allowed = f"needs {files}, which this folder has not"
        remedy = f"a run with `--record all` has it; here you can draw {', '.join(can)}"
        raise InputError([Problem(str(run_folder), "--kind", kind, allowed, remedy)])
    last = len(recording.steps) - 1
    if hart is not None and hart > last:
        raise InputError([Problem("command line", "--hart", str(hart), f"must be 0..{last}")])
    return can if kind == "all" else [kind]
