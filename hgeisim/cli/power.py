"""What `hgeisim explore --power` does: plant faults, try them, and tell what was noticed."""

from __future__ import annotations

from typing import Any

import click

from hgeisim.cli.console import print_json
from hgeisim.cli.exits import EXIT_NOTHING_NEW
from hgeisim.drivers.explored.power.power import Power
from hgeisim.errors import InputError, Problem
from hgeisim.kernel.variants import variant_problem
from hgeisim.report.power import document, text
from hgeisim.scenario.load import load_scenario

SECONDS = 60.0
"""CPU seconds that it takes if nothing else is said."""
ALONE = (
    *("base", "strategy", "walk", "steps", "memory", "after", "proof", "first", "mail", "finding"),
    *("full", "strict", "races"),
)
"""Options that it has no use for."""


def measure(name: str, options: dict[str, Any]) -> int:
    """Measure and print; the exit status."""
    check(options)
    overrides = {name: options[name] for name in ("variant", "preemption", "seed")}
    scenario = load_scenario(name, overrides, variant_problem)
    power = Power(scenario, options["states"])
    power.search()
    power.measure(options["seconds"] or SECONDS)
    result = document(name, power)
    if options["as_json"]:
        print_json(result)
    else:
        click.echo("\n".join(text(result)))
    return EXIT_NOTHING_NEW


def check(options: dict[str, Any]) -> None:
    """Refuse what it would pass over.  Raises `InputError`."""
    given = [option for option in ALONE if options[option]]
    if given:
        what = given[0]
        allowed = "does not go with --power, which makes the whole search for each fault"
        raise InputError([Problem("command line", f"--{what}", "", allowed, f"leave --{what} out")])
