"""hgeisim replay: run one schedule again, from its token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from hgeisim.cli.mail import chosen, full_option, mail_of, mail_options, room
from hgeisim.cli.options import complete_scenarios
from hgeisim.cli.own_patch import variant_option
from hgeisim.cli.process import EXIT_FINDING, EXIT_NOTHING_NEW
from hgeisim.errors import InputError, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hgeisim.checks.finding import Finding
    from hgeisim.drivers.explored.counterexample.replay import StepTaken
    from hgeisim.drivers.explored.counterexample.token import Token
    from hgeisim.drivers.explored.model.space import Space
    from hgeisim.drivers.explored.strategies.strategy import CannotStep
    from hgeisim.drivers.explored.strategies.verdict import Schedule
    from hgeisim.scenario.schema import Scenario


@click.command()
@click.argument("token", nargs=-1, required=True)
@click.option(
    "--scenario", help="The file that the schedule is of, if it is of a file.",
    shell_complete=complete_scenarios,
)  # fmt: skip
@variant_option("Try the schedule on another kernel, or name the file of your own patch.")
@click.option("--all", "everything", is_flag=True, help="Each step, and every cell it changes.")
@click.option("--races", is_flag=True, help="Look for data races; of your own patch, always.")
@mail_options
@full_option
@click.option("--strict", is_flag=True, help="Count accepted findings as new.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(
    token: tuple[str, ...], scenario: str | None, variant: str | None, **options: Any
) -> int:
    """Follow the schedule in TOKEN step by step and tell what each step did.

    A token that a mail has broken into several words is put together again.  It opens no file:
    where it was made from a file of yours, name that file.  Another kernel may not be able to
    follow the whole schedule; then the last line says so.  A patch of your own that has changed
    since is reported, with the step that it cannot take, if there is one.  --mail shows only the
    steps on which the finding depends that the schedule ends in.

    \b
    Example:
      hgeisim replay hg2.cGF0Y2gtcmFjZQB2Ni4xMitwZXJ...
      hgeisim replay hg2.bWluZS50b21sAHY3LjEA... --scenario mine.toml

    Exit status: 0 it shows nothing new, 1 it shows a new finding, 2 it is no token of a scenario
    that is here.
    """
    from hgeisim.checks.catalogue import not_checked  # noqa: PLC0415
    from hgeisim.cli.console import print_json  # noqa: PLC0415
    from hgeisim.cli.options import decoded  # noqa: PLC0415
    from hgeisim.drivers.explored.explored_scenario import space_of, token_of  # noqa: PLC0415
    from hgeisim.drivers.explored.model.system import EXPLORED, RACED  # noqa: PLC0415
    from hgeisim.drivers.explored.races.trial import races_shown  # noqa: PLC0415
    from hgeisim.kernel.variants import own_files  # noqa: PLC0415
    from hgeisim.report.counterexample import race_facts  # noqa: PLC0415
    from hgeisim.report.findings import in_order  # noqa: PLC0415
    from hgeisim.report.interleaving import interleaving  # noqa: PLC0415

    meant = decoded("".join(token), "TOKEN")
    _check_files(meant, scenario, variant)
    loaded = _scenario(meant, scenario or meant.scenario, variant or meant.variant)
    space = space_of(loaded)
    changed = _changed(meant, variant or meant.variant)
    another = _without_folders(variant or meant.variant) != _without_folders(meant.variant)
    steps, end = _follow(space, meant, changed, another)
    result = _document(meant, variant or meant.variant, steps, end)
    result |= {"changed": changed} if changed else {}
    found = _findings(space, meant, len(steps))
    wanted = options["races"] or bool(own_files(loaded.kernel.variant))
    races = races_shown(space, meant.schedule[: len(steps)]) if wanted else {}
    found |= {i: race.finding for i, race in races.items()}
    facts = {i: {"race": race_facts(race)} for i, race in races.items()}
    judged = _judged(space, loaded, meant.schedule[: len(steps)], found, options["strict"])
    new = [i for i, each in judged.items() if each["new"]]
    told = ({"id": i, "text": f.text, **judged[i], **facts.get(i, {})} for i, f in found.items())
    result["findings"] = in_order(told)
    result["schedules"], result["not_checked"] = 1, not_checked(RACED if wanted else EXPLORED)
    if options["as_json"]:
        print_json(result)
    elif options["mail"] and found:
        earlier = () if options["finding"] else _findings(space, meant, len(steps) - 1)
        later = [each for each in result["findings"] if each["id"] not in earlier]
        one = chosen(later or result["findings"], options["finding"])
        its_own = token_of(scenario or meant.scenario, loaded, meant.schedule[: len(steps)])
        lines = mail_of(space, loaded, its_own, one, room(options["full"]))
        click.echo("\n".join(lines))
    else:
        vcpus = {each.id: each.name for each in space.system.k.vcpus if each is not None}
        click.echo(f"{_heading(result)}\n")
        click.echo("\n".join(interleaving(steps, vcpus, options["everything"])) + "\n")
        _print(result)
    return EXIT_FINDING if new else EXIT_NOTHING_NEW


def _heading(result: dict[str, Any]) -> str:
    kernel = f"{result['variant']}, preemption {result['preemption']}"
    return f"{result['scenario']} on {kernel}"


def _print(result: dict[str, Any]) -> None:
    from hgeisim.report.counterexample import race_lines  # noqa: PLC0415
    from hgeisim.report.findings import nothing_found, standing, unlooked  # noqa: PLC0415
    from hgeisim.report.kernel_names import in_c  # noqa: PLC0415
    from hgeisim.report.layout import indented  # noqa: PLC0415

    if "changed" in result:
        click.echo(result["changed"] + ("" if result["end"] else "; it follows the whole schedule"))
        click.echo("")
    if result["end"]:
        click.echo(f"this kernel leaves the schedule here: {result['end']}")
    for finding in result["findings"]:
        how = standing(finding).removeprefix(", ")
        line = f"{finding['id']}: {in_c(finding['text'])}{how and f' ({how})'}"
        click.echo("\n".join(indented(line, 0)))
        if "race" in finding:
            click.echo("\n".join(race_lines(finding["race"])))
    click.echo("seen in one schedule")
    if nothing_found(result["findings"]):
        click.echo("no finding")
    click.echo("\n".join(unlooked(result["not_checked"])))


def _check_files(token: Token, scenario: str | None, variant: str | None) -> None:
    """A token may come from anybody, so only the command line names files to open."""
    from hgeisim.drivers.explored.counterexample import token as tokens  # noqa: PLC0415
    from hgeisim.kernel.variants import own_files  # noqa: PLC0415
    from hgeisim.scenario.find import is_bare_name  # noqa: PLC0415

    remedy = f"if you trust them: {tokens.command(token, scenario or '', variant or '')}"
    missing = []
    if scenario is None and not is_bare_name(token.scenario):
        missing.append(("--scenario", token.scenario))
    if variant is None and own_files(token.variant):
        missing.append(("--variant", token.variant))
    if missing:
        options = " and ".join(option for option, _ in missing)
        files = " and ".join(repr(file) for _, file in missing)
        allowed = f"needs {options}: it was made with {files}, and a token opens no file"
        raise InputError([Problem("command line", "TOKEN", "", allowed, remedy)])


def _scenario(token: Token, scenario: str, variant: str) -> Scenario:
    from hgeisim.kernel.variants import own_files, variant_problem  # noqa: PLC0415
    from hgeisim.scenario.canonical import on_variant  # noqa: PLC0415
    from hgeisim.scenario.load import load_scenario  # noqa: PLC0415

    own = {"variant": token.variant, "preemption": token.preemption}
    checked = None if own_files(token.variant) else variant_problem
    made_with = load_scenario(scenario, own, checked)
    meant = _meant(token, made_with)
    if meant is None:
        problem = "the token was made from another version of this scenario"
        raise InputError([Problem(made_with.file, "", "", problem, "explore it again")])
    load_scenario(scenario, {**own, "variant": variant}, variant_problem)
    return on_variant(meant, variant)


def _meant(token: Token, scenario: Scenario) -> Scenario | None:
    """The scenario of the schedule, by its digest: this one or its clean twin."""
    from hgeisim.drivers.explored.counterexample.token import DIGEST_DIGITS  # noqa: PLC0415
    from hgeisim.drivers.explored.explored_scenario import explored_digest  # noqa: PLC0415
    from hgeisim.scenario.canonical import clean_twin  # noqa: PLC0415

    both = filter(None, (scenario, clean_twin(scenario)))
    fits = (each for each in both if explored_digest(each)[:DIGEST_DIGITS] == token.digest)
    return next(fits, None)


def _changed(token: Token, variant: str) -> str:
    """What to say when the files of the user's own patches are not what they were."""
    from hgeisim.kernel.variants import own_digest, own_files  # noqa: PLC0415

    if not token.patch or own_digest(variant) in ("", token.patch):
        return ""
    files = list(dict.fromkeys(patch.partition(":")[0] for patch in own_files(variant)))
    verb = "has" if len(files) == 1 else "have"
    if _without_folders(variant) == _without_folders(token.variant):
        return f"{' or '.join(files)} {verb} changed since the token was made"
    return f"the token was made with another patch than {' and '.join(files)}"


def _without_folders(variant: str) -> str:
    """A variant by the names of its files: where they are does not matter."""
    return "+".join(part.rpartition("/")[2] for part in variant.split("+"))


def _follow(
    space: Space, token: Token, changed: str, may_leave: bool
) -> tuple[list[StepTaken], str]:
    """The steps that this kernel can follow, and why it cannot follow the others, if it cannot.

    The kernel that the token was made on has to follow all of it, also where a patch has changed.
    """
    from hgeisim.drivers.explored.counterexample.replay import follow  # noqa: PLC0415
    from hgeisim.drivers.explored.strategies.strategy import CannotStep  # noqa: PLC0415

    steps: list[StepTaken] = []
    try:
        steps.extend(follow(space, token.schedule))
    except CannotStep as error:
        if not may_leave:
            problem = f"{changed or 'the schedule does not fit'}: {error}{_after(steps, error)}"
            raise InputError([Problem("command line", "TOKEN", "", problem)]) from None
        return steps, str(error)
    return steps, ""


def _after(steps: list[StepTaken], error: CannotStep) -> str:
    """Where the context stands that cannot step."""
    last = next((step for step in reversed(steps) if step.context == error.context), None)
    return f" after {last.op!r} in {last.function or last.context}" if last else ""


def _findings(space: Space, token: Token, length: int) -> dict[str, Finding]:
    from hgeisim.drivers.explored.counterexample.replay import findings_of  # noqa: PLC0415
    from hgeisim.drivers.explored.strategies.lock_walks import shown_alone  # noqa: PLC0415

    schedule = token.schedule[:length]
    found: dict[str, Finding] = {}
    for finding in findings_of(space, schedule):
        found.setdefault(finding.id, finding)
    return found | shown_alone(space, schedule)


def _judged(
    space: Space, scenario: Scenario, schedule: Schedule, found: Mapping[str, Finding], strict: bool
) -> dict[str, dict[str, Any]]:
    """Which findings are new: what is not accepted or, of a user's own patch, what the base does
    not show."""
    from hgeisim.checks.catalogue import is_data_race, is_note  # noqa: PLC0415
    from hgeisim.checks.finding import COUNTING  # noqa: PLC0415
    from hgeisim.checks.known import accepted, new_findings  # noqa: PLC0415
    from hgeisim.drivers.explored.base import Base  # noqa: PLC0415
    from hgeisim.drivers.explored.counterexample.cause import cause_of  # noqa: PLC0415
    from hgeisim.drivers.explored.schedule_findings import (  # noqa: PLC0415
        least_causes,
        standings_along,
    )
    from hgeisim.kernel.variants import own_files, without_last_patch  # noqa: PLC0415
    from hgeisim.scenario.canonical import on_variant  # noqa: PLC0415

    kernel = scenario.kernel
    if not own_files(kernel.variant):
        causes = {i: cause_of(space, schedule, i) for i in found if not is_data_race(i)}
        causes |= {i: each.cause for i, each in found.items() if is_data_race(i)}
        new = new_findings(causes, kernel.variant, strict, kernel.realtime)
        others = [i for i in new if not is_data_race(i)]
        if not strict and (may_be := [i for i in others if accepted(i, kernel.variant)]):
            causes |= least_causes(space, scenario, {i: causes[i] for i in may_be}, schedule)
            new = new_findings(causes, kernel.variant, strict, kernel.realtime)
        return {i: {"new": i in new} for i in found}
    base = Base(on_variant(scenario, without_last_patch(kernel.variant)), 0)
    return {
        i: {
            "new": (strict or each.word in COUNTING) and not is_note(i),
            "standing": each.word,
            "base_switches": None,
        }
        for i, each in standings_along(space, base, schedule, found).items()
    }


def _document(token: Token, variant: str, steps: list[StepTaken], end: str) -> dict[str, Any]:
    return {
        "scenario": token.scenario,
        "variant": variant,
        "preemption": token.preemption,
        "end": end,
        "steps": [
            {
                "context": step.context,
                "hart": step.cpu,
                "function": step.function,
                "operation": step.op,
                "changes": [change._asdict() for change in step.changes],
            }
            for step in steps
        ],
    }
