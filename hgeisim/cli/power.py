"""What --power does: plant faults, try them, and tell what was noticed."""

from __future__ import annotations

from typing import Any

import click

from hgeisim.cli.console import print_json
from hgeisim.cli.process import EXIT_NOTHING_NEW
from hgeisim.errors import InputError, Problem
from hgeisim.scenario.schema import Scenario

SECONDS = 60.0
"""CPU seconds that it takes if nothing else is said."""
OF_A_SEARCH = (
    *("base", "strategy", "walk", "steps", "memory", "after", "proof", "first", "mail", "finding"),
    *("full", "strict", "races"),
)
OF_A_RUN = ("base", "out", "record", "mail", "finding", "strict")
"""Options that it has no use for."""


def of_a_search(name: str, options: dict[str, Any]) -> int:
    """Measure the power of `explore` and print it; the exit status."""
    from hgeisim.drivers.explored.power import Power  # noqa: PLC0415
    from hgeisim.kernel.variants import variant_problem  # noqa: PLC0415
    from hgeisim.report.power import document  # noqa: PLC0415
    from hgeisim.scenario.load import load_scenario  # noqa: PLC0415

    check(options, OF_A_SEARCH)
    overrides = {name: options[name] for name in ("variant", "preemption", "seed")}
    power = Power(load_scenario(name, overrides, variant_problem), options["states"])
    power.search()
    power.measure(options["seconds"] or SECONDS)
    return _print(document(name, power), as_json=options["as_json"])


def of_runs(name: str, scenario: Scenario, seconds: float | None, *, as_json: bool) -> int:
    """The same of `run`."""
    from hgeisim.drivers.timed.power import RunPower  # noqa: PLC0415
    from hgeisim.report.power import run_document  # noqa: PLC0415

    power = RunPower(scenario)
    seconds = seconds or SECONDS
    if not power.run(seconds):
        allowed = "is not enough: half of it has to suffice for six runs without a fault"
        remedy = "give it more, or simulate less with --until"
        raise InputError([Problem("command line", "--seconds", f"{seconds:g}", allowed, remedy)])
    if power.broken_already:
        allowed = f"shows {', '.join(power.broken_already)} without any fault"
        raise InputError([Problem("command line", "--power", "", allowed, "mend the patch first")])
    power.measure(seconds)
    return _print(run_document(name, power), as_json=as_json)


def _print(result: dict[str, Any], *, as_json: bool) -> int:
    from hgeisim.report.power import text  # noqa: PLC0415

    if as_json:
        print_json(result)
    else:
        click.echo("\n".join(text(result)))
    return EXIT_NOTHING_NEW


def check(options: dict[str, Any], alone: tuple[str, ...]) -> None:
    """Refuse what it would pass over.  Raises `InputError`."""
    given = [option for option in alone if options[option]]
    if given:
        what = given[0]
        allowed = "does not go with --power, which makes all of it for each fault"
        raise InputError([Problem("command line", f"--{what}", "", allowed, f"leave --{what} out")])
