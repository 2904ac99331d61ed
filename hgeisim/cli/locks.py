"""`hgeisim locks`: the lock-order validator.

`learn` writes down the lock order of a kernel, `show` prints its graph as text, for other programs,
or as a picture, and `conformance` plays a file of locking cases.  `check` and `diff` have files of
their own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from hgeisim.cli.locks_check import command as check_command
from hgeisim.cli.locks_diff import command as diff_command
from hgeisim.cli.options import (
    PATH,
    complete_kernels,
    complete_scenarios,
    json_option,
    variant_option,
)
from hgeisim.cli.process import EXIT_FINDING, EXIT_NOTHING_NEW
from hgeisim.errors import InputError, Problem


@click.command("learn", short_help="Write down the lock order of a kernel.")
@click.argument("scenarios", metavar="[SCENARIO]...", nargs=-1, shell_complete=complete_scenarios)
@variant_option("Kernel to learn.", default="v7.3", show_default=True)
@click.option("--rt", is_flag=True, help="With PREEMPT_RT, where spinlock_t sleeps.")
@click.option("--out", type=PATH, help="Write here, not to stdout.")
@json_option
def learn_command(
    scenarios: tuple[str, ...], variant: str, rt: bool, out: Path | None, as_json: bool
) -> int:
    """Run each SCENARIO and write a baseline; default: twelve that come with hgeisim.

    A baseline is sorted text, made to be read in the diff of a patch.  It accepts the findings that
    have a name and a reason already; reasons in an older baseline at --out are kept.  Other
    findings are reported, and not accepted: fix them, or add a line `accept ID :: REASON`.

    \b
    Example:
      hgeisim locks learn --variant v7.3 --out v7.3.txt

    Exit status: 0 every finding has a reason, 1 some have none.
    """
    from hgeisim.cli.console import print_json, progress  # noqa: PLC0415 - late: --help is quick
    from hgeisim.library.locks import learn  # noqa: PLC0415

    reasons = out if out is not None and out.exists() else None
    made = learn(scenarios, variant, realtime=rt, reasons=reasons, progress=progress())
    if out is not None:
        made.write(out)
    if as_json:
        print_json({**made.document, "new": [*made.new]})
    elif out is None:
        click.echo(made.form("baseline"), nl=False)
    for finding, words in made.new.items():
        click.echo(f"not accepted: {finding}\n  {words}", err=True)
    return EXIT_FINDING if made.new else EXIT_NOTHING_NEW


PICTURES = ("png", "svg")
FORM_OF = {
    **{f".{form}": form for form in ("dot", "graphml", *PICTURES)},
    ".gv": "dot",
    ".xml": "graphml",
    ".txt": "text",
}
"""The form that the suffix of a file promises."""


@click.command("show", short_help="The graph of a lock order: text, DOT, GraphML, a picture.")
@click.argument("kernel", metavar="[KERNEL|FILE]", default="v7.3", shell_complete=complete_kernels)
@click.option("--around", metavar="CLASS", help="Only classes near this one.")
@click.option("--depth", default=1, show_default=True, type=click.IntRange(0), help="How near.")
@click.option("--all", "everything", is_flag=True, help="Edges that follow from others, too.")
@click.option(
    "--against", metavar="KERNEL|FILE", shell_complete=complete_kernels,
    help="Mark the edges that this lock order does not have.",
)  # fmt: skip
@click.option(
    "--format", "form", default="text", show_default=True,
    type=click.Choice(["text", "dot", "graphml", *PICTURES]), help="How to show it.",
)  # fmt: skip
@click.option("--out", type=PATH, help="Write here, not to stdout.")
@json_option
def show_command(kernel: str, **options: Any) -> int:
    """Show the lock order of a kernel, of a baseline file, or of a copy of /proc/lockdep.

    An edge leads from what was held to what was wanted: E the holder was exclusive, S it was a
    reader; R a recursive reader came, N anybody else.  Edges that follow from others are left out.

    \b
    Example:
      hgeisim locks show v7.3 --around "kvm->mmu_lock"
      hgeisim locks show v7.3 --format png --out locks.png
    """
    from hgeisim.cli.console import print_json, progress  # noqa: PLC0415 - late: --help is quick
    from hgeisim.library.locks import show  # noqa: PLC0415
    from hgeisim.runs.atomic_folder import put_file  # noqa: PLC0415

    form, out = options["form"], options["out"]
    if options["as_json"] and (out is not None or form != "text"):
        allowed = "goes to stdout, in a form of its own: no --out, no --format"
        raise InputError([Problem("command line", "--json", "", allowed)])
    _check_suffix(form, out)
    near = {name: options[name] for name in ("around", "depth", "everything", "against")}
    order = show(kernel, progress=progress(), **near)
    if form in PICTURES:
        order.plot().save(out)
        click.echo(f"wrote {out}")
    elif options["as_json"]:
        print_json(order.document)
    elif out is not None:
        put_file(out, order.form(form))
    else:
        click.echo(order.form(form), nl=False)
    return EXIT_NOTHING_NEW


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


@click.group("locks")
def command() -> None:
    """Lock order: learn it, check a patch against it, compare it, show it.

    \b
    Example:
      hgeisim locks check --baseline v7.3 --variant v7.3+my-patch.py:MyPatch
    """


@command.command("conformance", short_help="Play a file of locking cases.")
@click.argument("file", type=PATH)
@json_option
def conformance_command(file: Path, as_json: bool) -> int:
    """Play the cases of FILE and compare verdict and kind with what the file expects.

    A case is a few threads with locking operations, and the verdict that a validator must give.

    \b
    Example:
      hgeisim locks conformance lock-order-cases.json

    Exit status: 0 all agree, 1 some do not.
    """
    from hgeisim.cli.console import print_result  # noqa: PLC0415 - late: --help is quick
    from hgeisim.library.locks import conformance  # noqa: PLC0415

    made = conformance(file)
    print_result(made, as_json)
    return EXIT_FINDING if made.result.disagreements else EXIT_NOTHING_NEW


for _command in (learn_command, check_command, diff_command, show_command):
    command.add_command(_command)
