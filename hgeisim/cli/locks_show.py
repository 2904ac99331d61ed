"""`hgeisim locks show`: the graph of a lock order, as text, for other programs, or as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hgeisim.cli.completion import kernels
from hgeisim.cli.paths import PATH
from hgeisim.errors import InputError, Problem

if TYPE_CHECKING:
    from hgeisim.lockorder.baseline import Baseline

PICTURES = ("png", "svg")
FORM_OF = {
    **{f".{form}": form for form in ("dot", "graphml", *PICTURES)},
    ".gv": "dot",
    ".xml": "graphml",
    ".txt": "text",
}
"""The form that the suffix of a file promises."""


@click.command("show", short_help="The graph of a lock order: text, DOT, GraphML, a picture.")
@click.argument("kernel", metavar="[KERNEL|FILE]", default="v7.1", shell_complete=kernels)
@click.option("--around", metavar="CLASS", help="Only what is near a class.")
@click.option("--depth", default=1, show_default=True, type=click.IntRange(0), help="How near.")
@click.option("--all", "everything", is_flag=True, help="Also what follows from other edges.")
@click.option(
    "--format", "form", default="text", show_default=True,
    type=click.Choice(["text", "dot", "graphml", *PICTURES]), help="How to show it.",
)  # fmt: skip
@click.option("--out", type=PATH, help="Write here, not to stdout.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(kernel: str, **options: Any) -> int:
    """Show the lock order of a kernel, of a baseline file, or of a copy of /proc/lockdep.

    An edge leads from what was held to what was wanted: E the holder was exclusive, S it was a
    reader; R a recursive reader came, N anybody else.  Edges that follow from others are left out.

    \b
    Example:
      hgeisim locks show v7.1 --around "kvm->mmu_lock"
      hgeisim locks show v7.1 --format png --out locks.png
    """
    from hgeisim.cli.console import print_json  # noqa: PLC0415 - late, for a quick --help
    from hgeisim.cli.lock_source import lock_order_of  # noqa: PLC0415
    from hgeisim.cli.locks_learn import document  # noqa: PLC0415
    from hgeisim.lockorder.picture import adjacent, around  # noqa: PLC0415
    from hgeisim.record.place import put_file  # noqa: PLC0415

    form, out = options["form"], options["out"]
    if options["as_json"] and (out is not None or form != "text"):
        allowed = "goes to stdout, in a form of its own: no --out, no --format"
        raise InputError([Problem("command line", "--json", "", allowed)])
    _check_suffix(form, out)
    order = lock_order_of(kernel)
    if not options["everything"]:
        order = adjacent(order)
    if options["around"]:
        order = around(order, options["around"], options["depth"])
    if form in PICTURES:
        _draw(order, out)
    elif options["as_json"]:
        print_json(document(order))
    elif out is not None:
        put_file(out, _text(order, form))
    else:
        click.echo(_text(order, form), nl=False)
    return 0


def _text(order: Baseline, form: str) -> str:
    from hgeisim.lockorder.picture import dot, graphml, tree  # noqa: PLC0415

    if form == "text":
        return "\n".join(tree(order)) + "\n"
    return dot(order) if form == "dot" else graphml(order)


def _check_suffix(form: str, out: Path | None) -> None:
    """Refuse a file whose name promises another form, and a picture without its suffix."""
    if form in PICTURES and out is None:
        allowed = f"a picture needs a file: --out locks.{form}"
        raise InputError([Problem("command line", "--format", form, allowed)])
    suffix = out.suffix.lower() if out is not None else ""
    promised = FORM_OF.get(suffix, suffix.lstrip(".") if form in PICTURES else form)
    if out is not None and promised != form:
        allowed = f"does not fit --format {form}"
        remedy = f"--format {promised}" if promised in FORM_OF.values() else f"end it in .{form}"
        raise InputError([Problem(str(out), "", "", allowed, remedy)])


def _draw(order: Baseline, out: Path) -> None:
    from hgeisim.plot.lock_graph import draw_locks  # noqa: PLC0415

    draw_locks(order, out)
    click.echo(f"wrote {out}")
