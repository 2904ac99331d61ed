"""hgeisim run: simulate a scenario in time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from hgeisim.cli.mail import mail_options
from hgeisim.cli.options import (
    PATH,
    Seconds,
    complete_scenarios,
    executing_option,
    json_option,
    settings_option,
    variant_option,
)
from hgeisim.cli.process import EXIT_FINDING, EXIT_NOTHING_NEW
from hgeisim.errors import InputError, Problem

if TYPE_CHECKING:
    from hgeisim.scenario.schema import Scenario


@click.command()
@click.argument("scenario", shell_complete=complete_scenarios)
@click.option("--out", type=PATH, help="Leave a run folder here.")
@variant_option("Kernel to simulate, such as v6.12+percpu-v5.")
@executing_option(
    "--base", "Kernel to compare with.  [default: for a patch of your own, that without it]"
)
@click.option("--preemption", help="Kernel preemption: none, voluntary, full, rt.")
@click.option("--until", help="How long to simulate, such as 20ms.")
@click.option("--seed", help="Seed of all random streams, a whole number.")
@settings_option
@click.option(
    "--record",
    type=click.Choice(["all", "occupancy"]),
    default="all",
    help="What to record; occupancy, without spans and lock order, is quicker.",
)
@click.option("--power", is_flag=True, help="Plant faults, and count those noticed.")
@click.option("--seconds", type=Seconds(0, min_open=True), help="How long --power may take.")
@mail_options
@click.option("--strict", is_flag=True, help="Count accepted findings as new.")
@json_option
def command(
    scenario: str,
    *,
    out: Path | None,
    base: str | None,
    record: Literal["all", "occupancy"],
    power: bool,
    seconds: float | None,
    strict: bool,
    as_json: bool,
    **said: Any,
) -> int:
    """Simulate SCENARIO (a name or a file) and show how full each HART was.

    `max` and `mean` are taken lines, `!` marks more than the HART has; `exhausted` is the part of
    the time with no line left; `fail` counts allocations that found none.  An interrupt met its
    vCPU in its guest, in WFI, without a line or a HART, or in the host.  Of a VM stands the mode
    that it got (-EINVAL: refused), the part of its guest time on a VS-file, and what its vCPUs did.

    \b
    Example:
      hgeisim run big-little --out out/big-little
      hgeisim run big-little --variant v6.18 -s vm.web.vcpus=8 -s run.until=5ms

    A patch of your own, or any kernel with --base, is compared with its base: a finding that the
    base shows as well, in up to 40 seeds, does not count.

    With --power many broken kernels run: each statement of the KVM AIA code that the run reaches is
    left out, and so on, in three seeds.  Faults that are not noticed are listed.  It takes 60
    seconds of CPU, or --seconds.

    Exit status: 0 nothing new, 1 a new finding, or a vacuous run (no guest was entered, or no line
    handed out).
    """
    from hgeisim.cli.console import print_json, print_parts, print_result, progress  # noqa: PLC0415
    from hgeisim.cli.power import OF_A_RUN, check  # noqa: PLC0415
    from hgeisim.library.power import power as plant  # noqa: PLC0415
    from hgeisim.library.run import run  # noqa: PLC0415

    mail = {key: said.pop(key) for key in ("mail", "finding")}
    words = ["hgeisim", "run", scenario, *_said_again(said)]
    if power:
        check(
            {**mail, "out": out, "base": base, "record": record != "all", "strict": strict},
            OF_A_RUN,
        )
    elif seconds is not None:
        allowed = "is for --power; a run ends with --until"
        raise InputError([Problem("command line", "--seconds", f"{seconds:g}", allowed)])
    loaded = _loaded(scenario, said, out)
    if power:
        print_result(plant(loaded, in_time=True, seconds=seconds, name=scenario), as_json)
        return EXIT_NOTHING_NEW
    result = run(loaded, record, base, strict=strict, progress=progress())
    if out is not None:
        result.write(out)
    runs = result.base_runs
    if as_json:
        print_json(result.document)
    elif mail["mail"] and result.findings:
        click.echo(result.mail(mail["finding"], words))
    else:
        print_parts(result.parts())
        if out is not None:
            click.echo(f"run folder {out}; `hgeisim plot {out}` draws it")
        if runs is not None and runs.runs:
            took = f"{runs.variant} was run as well, which took {runs.seconds:.1f} s"
            click.echo(took, err=True)
    return EXIT_NOTHING_NEW if result.summary["verdict"] == "sampled" else EXIT_FINDING


def _said_again(said: dict[str, Any]) -> Iterator[str]:
    """The options that change what runs, as they were said."""
    for name in ("variant", "preemption", "until", "seed"):
        if said[name] is not None:
            yield from (f"--{name}", str(said[name]))
    for setting in said["settings"]:
        yield from ("-s", setting)


def _loaded(name: str, said: dict[str, Any], out: Path | None) -> Scenario:
    """The scenario with what the command line says; all problems come together, also those of the
    place for the run folder."""
    from hgeisim.library.scenarios import load  # noqa: PLC0415
    from hgeisim.runs.folder import check_replaceable  # noqa: PLC0415
    from hgeisim.scenario.load import parse_value  # noqa: PLC0415

    problems: list[Problem] = []
    try:
        if out is not None:
            check_replaceable(out)
    except InputError as error:
        problems += error.problems
    settings, seed = said.pop("settings"), said.pop("seed")
    try:
        number = None if seed is None else parse_value(seed)  # a number, as in a file
        loaded = load(name, set=settings, seed=number, **said)
    except InputError as error:
        raise InputError([*error.problems, *problems]) from error
    if problems:
        raise InputError(problems)
    return loaded
