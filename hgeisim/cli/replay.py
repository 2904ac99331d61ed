"""hgeisim replay: run one schedule again, from its token."""

from __future__ import annotations

from typing import Any

import click

from hgeisim.cli.mail import full_option, mail_options
from hgeisim.cli.options import complete_scenarios, from_model_option, json_option, variant_option
from hgeisim.cli.process import EXIT_FINDING, EXIT_NOTHING_NEW


@click.command()
@click.argument("token", nargs=-1, required=True)
@click.option(
    "--scenario", help="The file that the schedule is of, if it is of a file.",
    shell_complete=complete_scenarios,
)  # fmt: skip
@from_model_option
@variant_option("Try the schedule on another kernel, or name the file of your own patch.")
@click.option("--all", "everything", is_flag=True, help="Each step, and every cell it changes.")
@click.option("--races", is_flag=True, help="Look for data races; of your own patch, always.")
@mail_options
@full_option
@click.option("--strict", is_flag=True, help="Count accepted findings as new.")
@json_option
def command(
    token: tuple[str, ...], scenario: str | None, variant: str | None, **options: Any
) -> int:
    """Follow the schedule in TOKEN step by step and show what each step did.

    A token that a mail has broken into several words is put together again.  It opens no file:
    where it was made from a file of yours, name that file.  Another kernel may not be able to
    follow the whole schedule; then the last line says so.  A patch of your own that has changed
    since is reported, with the step that it cannot take, if there is one.  --mail shows only the
    steps on which the finding depends that the schedule ends in.

    \b
    Example:
      hgeisim replay hg2.cGF0Y2gtcmFjZQB2Ni4xMitwZXJ...
      hgeisim replay hg2.bWluZS50b21sAHY3LjEA... --scenario mine.toml

    Exit status: 0 it shows nothing new, 1 it shows a new finding, 2 it is not a token of a scenario
    that is here.
    """
    from hgeisim.cli.console import print_json  # noqa: PLC0415
    from hgeisim.library.replay import replay  # noqa: PLC0415

    looks = {name: options[name] for name in ("races", "strict")}
    made = replay("".join(token), scenario, variant, **looks)
    if options["as_json"]:
        print_json(made.document)
    elif options["mail"] and made.findings:
        click.echo(made.mail(options["finding"], full=options["full"]))
    else:
        click.echo(made.text(everything=options["everything"]))
    return EXIT_FINDING if any(each["new"] for each in made.findings) else EXIT_NOTHING_NEW
