"""--mail: a finding as text that can be pasted into a mail."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sized
from typing import TYPE_CHECKING, Any, TypeVar

import click

from hgeisim.errors import InputError, Problem

if TYPE_CHECKING:
    from hgeisim.checks.finding import Finding
    from hgeisim.drivers.explored.counterexample.token import Token
    from hgeisim.drivers.explored.model.space import Space
    from hgeisim.lockorder.report.violation import Report
    from hgeisim.scenario.schema import Scenario

Command = TypeVar("Command", bound=Callable[..., Any])


def mail_options(command: Command) -> Command:
    """--mail and --finding."""
    for option in (
        click.option("--finding", metavar="ID", help="With --mail: which one; default: the worst."),
        click.option("--mail", is_flag=True, help="One finding in 40 lines of 72 columns."),
    ):
        command = option(command)
    return command


full_option = click.option(
    "--full", is_flag=True, help="With --mail: every step, however many lines."
)


def chosen(findings: Iterable[dict[str, Any]], wanted: str | None) -> dict[str, Any]:
    """The finding that a mail is about: the one that is asked for, else the worst new one, else the
    worst."""
    from hgeisim.machine.kernel_name import present_id  # noqa: PLC0415 - late, for --help

    known = list(findings)
    if wanted is None:
        return next((each for each in known if each["new"]), known[0])
    for each in known:
        if each["id"] in (wanted, present_id(wanted)):
            return each
    shown = ", ".join(each["id"] for each in known) or "nothing"
    problem = Problem("command line", "--finding", wanted, f"does not show; here: {shown}")
    raise InputError([problem])


def beginning(result: dict[str, Any]) -> list[str]:
    """What stands before the finding: that the verdict is vacuous, if it is."""
    from hgeisim.report.mail_head import vacuous_head  # noqa: PLC0415

    why = result["reach"]["vacuous"]
    return list(vacuous_head(why)) if why else []


def room(full: bool, before: Sized = ()) -> int | None:
    """How many lines a mail has behind those before it; None for as many as it likes."""
    from hgeisim.report.mail import LINES  # noqa: PLC0415

    return None if full else LINES - len(before)


def mail_of(
    space: Space, scenario: Scenario, token: Token, finding: dict[str, Any], lines: int | None
) -> list[str]:
    """The mail about a finding of a schedule, as a document has it."""
    from hgeisim.drivers.explored.counterexample.evidence import evidence  # noqa: PLC0415
    from hgeisim.drivers.explored.counterexample.replay import NotShown  # noqa: PLC0415
    from hgeisim.report.kernel_names import distance  # noqa: PLC0415
    from hgeisim.report.mail import About, mail, race_mail  # noqa: PLC0415

    finding_id = finding["id"]
    if "race" in finding:
        return [*race_mail(scenario, token, finding)]
    try:
        shown = evidence(space, token.schedule, finding_id, distance)
    except NotShown:
        allowed = "shows only together with other schedules: no schedule alone is evidence for it"
        raise InputError([Problem("command line", "--mail", finding_id, allowed)]) from None
    return mail(space, shown, About(scenario, token, finding.get("standing") or ""), lines)


def print_run_mail(
    scenario: Scenario, seen: tuple[int, Finding], reports: Iterable[Report], words: list[str]
) -> None:
    """Print the mail about a finding of a run, with the time at which it was seen; `words` are the
    command that ran."""
    from hgeisim.report.layout import command_lines  # noqa: PLC0415
    from hgeisim.report.mail import run_mail  # noqa: PLC0415

    click.echo("\n".join([*run_mail(scenario, seen, reports), *command_lines(words)]))
