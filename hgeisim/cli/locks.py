"""`hgeisim locks`: the lock-order validator."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hgeisim.cli.exits import EXIT_FINDING, EXIT_NOTHING_NEW
from hgeisim.cli.locks_check import command as check_command
from hgeisim.cli.locks_diff import command as diff_command
from hgeisim.cli.locks_learn import command as learn_command
from hgeisim.cli.locks_show import command as show_command
from hgeisim.cli.paths import PATH

if TYPE_CHECKING:
    from hgeisim.lockorder.conformance import Conformance


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
    from hgeisim.lockorder.cases import read_cases  # noqa: PLC0415
    from hgeisim.lockorder.conformance import conformance  # noqa: PLC0415

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
