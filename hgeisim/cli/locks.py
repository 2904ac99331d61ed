"""`hgeisim locks`: the lock-order validator.

`learn` writes down the lock order of a kernel, `show` prints its graph as text, for other programs,
or as a picture, and `conformance` plays a file of locking cases.  `check` and `diff` have files of
their own.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hgeisim.cli.locks_check import command as check_command
from hgeisim.cli.locks_diff import command as diff_command
from hgeisim.cli.options import PATH, complete_kernels, complete_scenarios
from hgeisim.cli.own_patch import variant_option
from hgeisim.cli.process import EXIT_FINDING, EXIT_NOTHING_NEW
from hgeisim.errors import InputError, Problem

if TYPE_CHECKING:
    from hgeisim.lockorder.baseline.baseline import Baseline
    from hgeisim.lockorder.cases.conformance import Conformance


@click.command("learn", short_help="Write down the lock order of a kernel.")
@click.argument("scenarios", metavar="[SCENARIO]...", nargs=-1, shell_complete=complete_scenarios)
@variant_option("Kernel to learn.", default="v7.1", show_default=True)
@click.option("--rt", is_flag=True, help="With PREEMPT_RT, where spinlock_t sleeps.")
@click.option("--out", type=PATH, help="Write here, not to stdout.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def learn_command(
    scenarios: tuple[str, ...], variant: str, rt: bool, out: Path | None, as_json: bool
) -> int:
    """Run each SCENARIO and write a baseline; default: twelve that come with hgeisim.

    A baseline is sorted text, made to be read in the diff of a patch.  It accepts the findings that
    have a name and a reason already; reasons in an older baseline at --out are kept.  Other
    findings are told, and not accepted: fix them, or add a line `accept ID :: REASON`.

    \b
    Example:
      hgeisim locks learn --variant v7.1 --out v7.1.txt

    Exit status: 0 every finding has a reason, 1 some have none.
    """
    from hgeisim.cli.console import print_json  # noqa: PLC0415 - late, for a quick --help
    from hgeisim.cli.lock_source import baseline_of, surveyed  # noqa: PLC0415
    from hgeisim.lockorder.baseline.baseline_file import (  # noqa: PLC0415
        read_baseline,
        text_of_baseline,
    )
    from hgeisim.machine.kernel_name import present_id  # noqa: PLC0415
    from hgeisim.runs.atomic_folder import put_file  # noqa: PLC0415

    kept = read_baseline(out, present_id).accepted if out is not None and out.exists() else {}
    found = surveyed(scenarios, variant, rt)
    made = baseline_of(found, variant)
    findings = found.findings()
    made.accepted |= {finding: kept[finding] for finding in findings if finding in kept}
    new = [finding for finding in findings if finding not in made.accepted]
    if out is not None:
        put_file(out, text_of_baseline(made))
    if as_json:
        print_json({**baseline_document(made), "new": new})
    elif out is None:
        click.echo(text_of_baseline(made), nl=False)
    for finding in new:
        click.echo(f"not accepted: {finding}\n  {findings[finding].text}", err=True)
    return EXIT_FINDING if new else EXIT_NOTHING_NEW


def baseline_document(made: Baseline) -> dict[str, Any]:
    """A baseline for programs."""
    return {
        "kernel": made.kernel,
        "scenarios": list(made.scenarios),
        "classes": {
            name: {"type": cls.kind, "wait": cls.wait, "usage": cls.usage}
            for name, cls in made.classes.items()
        },
        "edges": [
            {"held": source, "wanted": target, "kinds": sorted(edge.kinds), "site": edge.site}
            for (source, target), edge in made.edges.items()
        ],
        "accepted": made.accepted,
    }


PICTURES = ("png", "svg")
FORM_OF = {
    **{f".{form}": form for form in ("dot", "graphml", *PICTURES)},
    ".gv": "dot",
    ".xml": "graphml",
    ".txt": "text",
}
"""The form that the suffix of a file promises."""


@click.command("show", short_help="The graph of a lock order: text, DOT, GraphML, a picture.")
@click.argument("kernel", metavar="[KERNEL|FILE]", default="v7.1", shell_complete=complete_kernels)
@click.option("--around", metavar="CLASS", help="Only what is near a class.")
@click.option("--depth", default=1, show_default=True, type=click.IntRange(0), help="How near.")
@click.option("--all", "everything", is_flag=True, help="Also what follows from other edges.")
@click.option(
    "--format", "form", default="text", show_default=True,
    type=click.Choice(["text", "dot", "graphml", *PICTURES]), help="How to show it.",
)  # fmt: skip
@click.option("--out", type=PATH, help="Write here, not to stdout.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def show_command(kernel: str, **options: Any) -> int:
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
    from hgeisim.lockorder.baseline.export_graph import adjacent, around  # noqa: PLC0415
    from hgeisim.runs.atomic_folder import put_file  # noqa: PLC0415

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
        print_json(baseline_document(order))
    elif out is not None:
        put_file(out, _graph_text(order, form))
    else:
        click.echo(_graph_text(order, form), nl=False)
    return 0


def _graph_text(order: Baseline, form: str) -> str:
    from hgeisim.lockorder.baseline.export_graph import dot, graphml, tree  # noqa: PLC0415

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


@click.group("locks")
def command() -> None:
    """Lock order: learn it, check a patch against it, compare, look at it.

    \b
    Example:
      hgeisim locks check --baseline v7.1 --variant v7.1+my-patch.py:MyPatch
    """


@command.command("conformance", short_help="Play a file of locking cases.")
@click.argument("file", type=PATH)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def conformance_command(file: Path, as_json: bool) -> int:
    """Play the cases of FILE and compare verdict and kind with what the file expects.

    A case is a few threads with locking operations, and what a validator must say about them.

    \b
    Example:
      hgeisim locks conformance lock-order-cases.json

    Exit status: 0 all agree, 1 some do not.
    """
    from hgeisim.cli.console import print_json  # noqa: PLC0415 - late: --help is quick
    from hgeisim.lockorder.cases.case_file import read_cases  # noqa: PLC0415
    from hgeisim.lockorder.cases.conformance import conformance  # noqa: PLC0415

    result = conformance(read_cases(file))
    if as_json:
        print_json(document(result))
    else:
        click.echo("\n".join(text(file, result)))
    return EXIT_FINDING if result.disagreements else EXIT_NOTHING_NEW


def document(result: Conformance) -> dict[str, Any]:
    """The score for programs."""
    return {
        "total": result.total,
        "agree": result.agree,
        "in_place": result.in_place,
        "out_of_scope": result.out_of_scope,
        "disagree": [d.case for d in result.disagreements],
        "groups": {name: {"agree": n, "total": of} for name, (n, of) in result.groups.items()},
    }


def text(file: Path, result: Conformance) -> list[str]:
    """The score for people."""
    lines = [
        f"Cases of {file}",
        f"{result.total} in scope, {result.out_of_scope} out of scope (not played)",
        f"{result.agree} agree in verdict and kind, {result.in_place} at the same operation too",
    ]
    lines += [f"  {name:<24}{n:>4} of {of:>3}" for name, (n, of) in result.groups.items()]
    lines += [f"  {d.case}: expected {d.expected}, found {d.found}" for d in result.disagreements]
    return lines


for _command in (learn_command, check_command, diff_command, show_command):
    command.add_command(_command)
