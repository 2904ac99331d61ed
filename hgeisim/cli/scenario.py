"""`hgeisim scenario`: list, show and check scenario files."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from hgeisim.cli.console import print_json
from hgeisim.cli.options import complete_scenarios, json_option, settings_option
from hgeisim.errors import InputError, Problem

if TYPE_CHECKING:
    from hgeisim.scenario.schema import Scenario

EXIT_BAD_INPUT = 2


@click.group("scenario")
def command() -> None:
    """List, show or check scenarios: what runs, on which machine and kernel, for how long.

    \b
    Example:
      hgeisim scenario list
      hgeisim scenario show big-little > mine.toml
      hgeisim scenario check mine.toml
    """


@command.command("list", short_help="The built-in scenarios, and what to look at.")
@json_option
def list_command(as_json: bool) -> None:
    """List the scenarios that come with hgeisim, and what to look at in each.

    Those to run have loads that are random in time; those to explore have a few threads, whose
    interleavings can all be searched (they can be run, too).

    \b
    Example:
      hgeisim scenario list
    """
    from hgeisim.library.scenarios import scenarios  # noqa: PLC0415 - late, for a quick --help

    listed = scenarios()
    if as_json:
        print_json({"scenarios": listed})
        return
    from hgeisim.report.layout import indented  # noqa: PLC0415

    width = max(len(each["name"]) for each in listed) + 2
    for made_for in ("run", "explore"):
        click.echo(f"To {made_for}: hgeisim {made_for} NAME\n")
        for each in listed:
            if each["for"] == made_for:
                title = f"{each['name']:{width}}{each['title']}"
                click.echo("\n".join(indented(title, 0, width)))
                click.echo("\n".join(indented(each["look_at"], 4, 0)))
        click.echo("")


@command.command("show", short_help="A scenario with all defaults filled in.")
@click.argument("name", metavar="NAME|FILE", shell_complete=complete_scenarios)
@settings_option
@json_option
def show_command(name: str, settings: tuple[str, ...], as_json: bool) -> None:
    """Show a scenario with all defaults filled in and its machine written out.

    What it prints is a scenario file itself, which gives the same results.

    \b
    Example:
      hgeisim scenario show patch-race
      hgeisim scenario show big-little -s vm.web.vcpus=8 > mine.toml
    """
    from hgeisim.library.scenarios import canonical, load  # noqa: PLC0415 - loads pydantic
    from hgeisim.scenario.table import toml_text  # noqa: PLC0415

    scenario = load(name, set=settings)
    content = canonical(scenario)
    if as_json:
        print_json({"file": scenario.file, "digest": scenario.digest, "scenario": content})
        return
    click.echo(f"# {scenario.file} with all defaults; digest {scenario.digest}")
    click.echo(toml_text(content), nl=False)


@command.command("check", short_help="All problems of scenario files.")
@click.argument(
    "names", metavar="NAME|FILE...", nargs=-1, required=True, shell_complete=complete_scenarios
)
@json_option
@click.pass_context
def check_command(ctx: click.Context, names: tuple[str, ...], as_json: bool) -> None:
    """Check scenario files whole: every problem of every file, and exit status 2 if there is one.

    \b
    Example:
      hgeisim scenario check mine.toml yours.toml
    """
    checked = {name: _check(name) for name in names}
    problems = [problem for found in checked.values() for problem in _problems(found)]
    if as_json:
        print_json({"checked": [_verdict(name, found) for name, found in checked.items()]})
        ctx.exit(EXIT_BAD_INPUT if problems else 0)
    for name, found in checked.items():
        if not isinstance(found, InputError):
            click.echo(f"ok: {name}: {_size(found)}")
            for warning in found.topology.warnings:
                click.echo(f"  {found.topology.source}: {warning}")
    if problems:
        raise InputError(problems)


def _check(name: str) -> Scenario | InputError:
    from hgeisim.library.scenarios import load  # noqa: PLC0415

    try:
        return load(name)
    except InputError as error:
        return error


def _problems(found: Scenario | InputError) -> tuple[Problem, ...]:
    return found.problems if isinstance(found, InputError) else ()


def _verdict(name: str, found: Scenario | InputError) -> dict[str, object]:
    problems = [asdict(problem) for problem in _problems(found)]
    return {"file": name, "ok": not problems, "problems": problems}


def _size(scenario: Scenario) -> str:
    vms = {vcpu.vm_name: None for vcpu in scenario.vcpu}
    vcpus = len(scenario.vcpu) + sum(vm.vcpus * (vm.count or 1) for vm in scenario.vm)
    return ", ".join(
        _count(number, noun)
        for number, noun in (
            (len(scenario.topology.harts), "HART"),
            (len(vms) + sum(vm.count or 1 for vm in scenario.vm), "VM"),
            (vcpus, "vCPU"),
            (len(scenario.task), "task"),
        )
        if number
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
