"""hgeisim replay: run one schedule again, from its token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from hgeisim.cli.exits import EXIT_FINDING, EXIT_NOTHING_NEW
from hgeisim.errors import InputError, Problem

if TYPE_CHECKING:
    from hgeisim.drivers.explored.replay import StepTaken
    from hgeisim.drivers.explored.space import Space
    from hgeisim.drivers.explored.token import Token


@click.command()
@click.argument("token", nargs=-1, required=True)
@click.option("--variant", help="Try the schedule on another kernel.")
@click.option("--all", "everything", is_flag=True, help="Each step, and every cell it changes.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(token: tuple[str, ...], variant: str | None, everything: bool, as_json: bool) -> int:
    """Follow the schedule in TOKEN step by step and tell what each step did.

    A token that a mail has broken into several words is put together again.

    \b
    Example:
      hgeisim replay hg1.cGF0Y2gtcmFjZQp2Ni4xMitwZXJ...

    Exit status: 0 it shows nothing new, 1 it shows a new finding, 2 it is no token of a scenario
    that is here.
    """
    from hgeisim.checks.known import new_findings  # noqa: PLC0415
    from hgeisim.cli.console import print_json  # noqa: PLC0415
    from hgeisim.drivers.explored.replay import findings_of  # noqa: PLC0415
    from hgeisim.report.interleaving import interleaving  # noqa: PLC0415

    meant = _decode(token)
    used = variant or meant.variant
    space = _space(meant, variant)
    steps = _follow(space, meant)
    found = {f.id: f.text for f in findings_of(space, meant.schedule)}
    new = new_findings(found, used)
    if as_json:
        print_json(_document(meant, used, steps, found, new))
    else:
        click.echo(f"{meant.scenario} on {used}, preemption {meant.preemption}\n")
        click.echo("\n".join(interleaving(steps, everything)) + "\n")
        for finding, text in found.items():
            click.echo(f"{finding}: {text}" + ("" if finding in new else " (accepted)"))
        if not found:
            click.echo("no finding")
    return EXIT_FINDING if new else EXIT_NOTHING_NEW


def _decode(words: tuple[str, ...]) -> Token:
    from hgeisim.drivers.explored.token import TokenError, decode  # noqa: PLC0415

    try:
        return decode("".join(words))
    except TokenError as error:
        shown = "".join(words)
        shown = shown if len(shown) < 40 else f"{shown[:36]}..."
        problem = f"is no replay token: {error}"
        remedy = "copy the whole word that `hgeisim explore` printed"
        raise InputError([Problem("command line", "TOKEN", shown, problem, remedy)]) from None


def _space(token: Token, variant: str | None) -> Space:
    from hgeisim.drivers.explored.explorer import space_of  # noqa: PLC0415
    from hgeisim.drivers.explored.token import DIGEST_DIGITS  # noqa: PLC0415
    from hgeisim.kernel.variants import variant_problem  # noqa: PLC0415
    from hgeisim.scenario.load import load_scenario  # noqa: PLC0415

    own = {"variant": token.variant, "preemption": token.preemption}
    scenario = load_scenario(token.scenario, own, variant_problem)
    if scenario.digest[:DIGEST_DIGITS] != token.digest:
        problem = "the token was made from another version of this scenario"
        raise InputError([Problem(scenario.file, "", "", problem, "explore it again")])
    if variant:
        scenario = load_scenario(token.scenario, {**own, "variant": variant}, variant_problem)
    return space_of(scenario)


def _follow(space: Space, token: Token) -> list[StepTaken]:
    from hgeisim.drivers.explored.replay import follow  # noqa: PLC0415

    try:
        return list(follow(space, token.schedule))
    except ValueError as error:
        problem = f"the schedule does not fit this kernel: {error}"
        raise InputError([Problem("command line", "TOKEN", "", problem)]) from None


def _document(
    token: Token, variant: str, steps: list[StepTaken], found: dict[str, str], new: list[str]
) -> dict[str, Any]:
    return {
        "scenario": token.scenario,
        "variant": variant,
        "preemption": token.preemption,
        "steps": [
            {
                "context": step.context,
                "hart": step.cpu,
                "function": step.function,
                "operation": step.op,
                "changes": [list(change) for change in step.changes],
            }
            for step in steps
        ],
        "findings": [{"id": i, "text": t, "new": i in new} for i, t in found.items()],
    }
