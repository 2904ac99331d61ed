"""hgeisim explore: search the interleavings of a scenario's tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from hgeisim.cli.mail import beginning, chosen, full_option, mail_of, mail_options, room
from hgeisim.cli.options import (
    STRATEGIES,
    Seconds,
    Several,
    WithSeveral,
    check_strategy,
    complete_patches,
    complete_scenarios,
)
from hgeisim.cli.own_patch import executing_option, variant_option

if TYPE_CHECKING:
    from hgeisim.cli.exploration import Exploration


@click.command(cls=WithSeveral)
@click.argument("scenario", shell_complete=complete_scenarios)
@variant_option("Kernel to explore, such as v6.12+percpu-v2.")
@executing_option(
    "--base", "Kernel to compare with.  [default: for a patch of your own, that without it]"
)
@click.option(
    "--series",
    cls=Several,
    metavar="PATCH...",
    shell_complete=complete_patches,
    help="Compare two patches or more, one on top of the other.",
)
@click.option(
    "--revisions",
    cls=Several,
    metavar="PATCH...",
    shell_complete=complete_patches,
    help="Compare two patches or more, each alone.",
)
@click.option("--preemption", help="Kernel preemption: none, voluntary, full, rt.")
@click.option(
    "--states", default=5_000_000, show_default=True, type=click.IntRange(1),
    help="Give up after this many states.",
)  # fmt: skip
@click.option("--proof", is_flag=True, help="Exit with 4 unless every interleaving was searched.")
@click.option(
    "--strategy", type=click.Choice(STRATEGIES), metavar="NAME",
    help="How to search, see below.  [default: portfolio, with --walk: random]",
)  # fmt: skip
@click.option("--walk", type=click.IntRange(1), help="Run this many drawn schedules instead.")
@click.option("--steps", type=click.IntRange(1), help="Give up after this many steps.")
@click.option("--seconds", type=Seconds(0, min_open=True), help="Give up then.")
@click.option("--memory", type=click.IntRange(1), help="Give up with so many MiB in use.")
@click.option("--after", metavar="TOKEN", help="Begin where the schedule of this token ends.")
@click.option("--seed", type=click.IntRange(0), help="Seed of the random schedules.")
@click.option("--power", is_flag=True, help="Plant faults, and tell how many would be noticed.")
@click.option(
    "--races", is_flag=True, help="Look for data races; of one patch of your own, always."
)
@click.option("--first", is_flag=True, help="Stop at the first new finding.")
@mail_options
@full_option
@click.option("--strict", is_flag=True, help="Count accepted findings as new.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(scenario: str, **options: Any) -> int:
    """Search the interleavings of the tasks of SCENARIO (a name or a file).

    Every interleaving is visited, up to the order of independent operations; where there are very
    many states, random schedules and those with few switches come first.  Each finding comes with a
    short schedule, one that shows few other findings on the way.  Lock order is looked at along a
    sample of schedules in any case.  Ctrl-C ends the search and prints what it has found.

    Strategies that search are portfolio, exhaustive (breadth first) and switches (schedules with no
    switch of context, then with one, and so on).  Others draw schedules: random, priorities (each
    context runs for long), pct (few changes of priority), partial-order (orders of conflicting
    steps) and round-robin (turns of growing length).

    A patch of your own is compared with the kernel that it is for: a finding is new if that kernel
    does not show it, or needs more switches for it.

    With --power the same search is made for many broken kernels: each statement of the KVM AIA
    code that it reaches is left out, and so on.  What is not noticed is listed.  It takes 60
    seconds of CPU, or --seconds.

    A data race is a plain read of a variable and a write to it at once, with nothing that orders
    them: as KCSAN tells it.

    Patches of a series are compared with each other and with the kernel that --variant names: each
    of a --series has to be free of what is new, of --revisions only the last.  Data races are not
    looked for there.

    \b
    Example:
      hgeisim explore patch-race --variant v6.12+percpu-v2
      hgeisim explore move-offline --variant v7.1+mine.py:Mine
      hgeisim explore everything --strategy pct --seconds 20
      hgeisim explore patch-race --variant v7.1 --revisions percpu-v2 percpu-v5

    Exit status: 0 nothing new, 1 a new finding, or a vacuous verdict (no guest was entered, or no
    line handed out), 4 a budget ended before the --proof, 130 interrupted.
    """
    if any(options[form] for form in ("series", "revisions")):
        from hgeisim.cli.series import explore  # noqa: PLC0415

        return explore(scenario, options)
    if options["power"]:
        from hgeisim.cli.power import of_a_search  # noqa: PLC0415

        return of_a_search(scenario, options)
    made = _explored(scenario, options)
    status = _report(made)
    if made.was_stopped is not None:
        raise made.was_stopped
    return status


def _explored(name: str, options: dict[str, Any]) -> Exploration:
    from hgeisim.cli.exploration import Exploration  # noqa: PLC0415
    from hgeisim.kernel.variants import variant_problem  # noqa: PLC0415
    from hgeisim.scenario.load import load_scenario  # noqa: PLC0415

    check_strategy(options)
    overrides = {name: options[name] for name in ("variant", "preemption", "seed")}
    made = Exploration(name, load_scenario(name, overrides, variant_problem), options)
    made.search()
    made.follow_up()
    return made


def _report(made: Exploration) -> int:
    from hgeisim.cli.console import print_json  # noqa: PLC0415
    from hgeisim.cli.process import EXIT_BUDGET, EXIT_FINDING, EXIT_NOTHING_NEW  # noqa: PLC0415
    from hgeisim.report.exploration import text  # noqa: PLC0415

    result = made.document()
    if made.options["as_json"]:
        print_json(result)
    elif made.options["mail"] and result["findings"]:
        click.echo("\n".join(_mail(made, result)))
    else:
        click.echo("\n".join(text(result)))
        for line in made.remarks():
            click.echo(line, err=True)
    if result["verdict"] in ("vacuous", "violation"):
        return EXIT_FINDING
    unproved = made.options["proof"] and result["coverage"] != "exhausted"
    return EXIT_BUDGET if unproved else EXIT_NOTHING_NEW


def _mail(made: Exploration, result: dict[str, Any]) -> list[str]:
    from hgeisim.drivers.explored.counterexample.token import decode  # noqa: PLC0415

    one, first = chosen(result["findings"], made.options["finding"]), beginning(result)
    lines, token = room(made.options["full"], first), decode(one["token"])
    return [*first, *mail_of(made.space, made.scenario, token, one, lines)]
