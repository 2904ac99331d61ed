"""hgeisim explore: search the interleavings of a scenario's tasks."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import click

from hgeisim.cli.mail import full_option, mail_options
from hgeisim.cli.options import (
    Seconds,
    Several,
    WithSeveral,
    complete_patches,
    complete_scenarios,
    executing_option,
    from_model_option,
    json_option,
    variant_option,
)
from hgeisim.library.how_to_search import OVERRIDES, STRATEGIES, How


@click.command(cls=WithSeveral)
@click.argument("scenario", shell_complete=complete_scenarios)
@variant_option("Kernel to explore, such as v6.12+percpu-v2.")
@from_model_option
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
@click.option("--seconds", type=Seconds(0, min_open=True), help="Give up after this time.")
@click.option("--memory", type=click.IntRange(1), help="Give up when this many MiB are in use.")
@click.option("--after", metavar="TOKEN", help="Begin where the schedule of this token ends.")
@click.option("--seed", type=click.IntRange(0), help="Seed of the random schedules.")
@click.option("--power", is_flag=True, help="Plant faults, and count those noticed.")
@click.option(
    "--races", is_flag=True, help="Look for data races; of one patch of your own, always."
)
@click.option("--first", is_flag=True, help="Stop at the first new finding.")
@mail_options
@full_option
@click.option("--strict", is_flag=True, help="Count accepted findings as new.")
@json_option
def command(scenario: str, **options: Any) -> int:
    """Search the interleavings of the tasks of SCENARIO (a name or a file).

    Every interleaving is visited, up to the order of independent operations; where there are very
    many states, random schedules and those with few switches come first.  Each finding comes with a
    short schedule, one that shows few other findings on the way.  Lock order is checked along a
    sample of schedules in any case.  Ctrl-C ends the search and prints the findings so far.

    Strategies that search are portfolio, exhaustive (breadth first) and switches (schedules with no
    switch of context, then with one, and so on).  Others draw schedules: random, priorities (each
    context runs for long), pct (few changes of priority), partial-order (orders of conflicting
    steps) and round-robin (turns of growing length).

    A patch of your own is compared with the kernel that it is for: a finding is new if that kernel
    does not show it, or needs more switches for it.

    With --power the same search is made for many broken kernels: each statement of the KVM AIA
    code that it reaches is left out, and so on.  Faults that are not noticed are listed.  It takes
    60 seconds of CPU, or --seconds.

    A data race is a plain read of a variable beside a write to it, with nothing that orders the
    two: KCSAN reports the same.

    Patches of a series are compared with each other and with the kernel that --variant names.  No
    patch of a --series may bring a new finding; of --revisions, only the last one counts.  Data
    races are not looked for there.

    \b
    Example:
      hgeisim explore patch-race --variant v6.12+percpu-v2
      hgeisim explore move-offline --variant v7.3+mine.py:Mine
      hgeisim explore everything --strategy pct --seconds 20
      hgeisim explore patch-race --variant v7.1 --revisions percpu-v2 percpu-v5

    Exit status: 0 nothing new, 1 a new finding, or a vacuous verdict (no guest was entered, or no
    line handed out), 4 a budget ended before the --proof, 130 interrupted.
    """
    if any(options[form] for form in ("series", "revisions")):
        from hgeisim.cli.series import explore as explore_series  # noqa: PLC0415

        return explore_series(scenario, options)
    from hgeisim.cli.console import print_json, print_result, progress  # noqa: PLC0415
    from hgeisim.cli.process import EXIT_BUDGET, EXIT_FINDING, EXIT_NOTHING_NEW  # noqa: PLC0415

    overrides = {name: options[name] for name in OVERRIDES}
    if options["power"]:
        from hgeisim.cli.power import OF_A_SEARCH, check  # noqa: PLC0415
        from hgeisim.library.power import power  # noqa: PLC0415

        check(options, OF_A_SEARCH)
        limits = {name: options[name] for name in ("seconds", "states")}
        print_result(power(scenario, **limits, **overrides), options["as_json"])
        return EXIT_NOTHING_NEW
    from hgeisim.library.exploration import explore  # noqa: PLC0415

    how = {field.name: options[field.name] for field in fields(How)}
    made = explore(scenario, progress=progress(), **overrides, **how)
    if options["as_json"]:
        print_json(made.document)
    elif options["mail"] and made.findings:
        click.echo(made.mail(options["finding"], full=options["full"]))
    else:
        click.echo(str(made))
        for line in made.remarks:
            click.echo(line, err=True)
    if made.stopped is not None:
        raise made.stopped
    if made.document["verdict"] in ("vacuous", "violation"):
        return EXIT_FINDING
    unproved = options["proof"] and made.document["coverage"] != "exhausted"
    return EXIT_BUDGET if unproved else EXIT_NOTHING_NEW
