"""The option `-s KEY=VALUE`, which puts a value into a scenario."""

from __future__ import annotations

import click

settings_option = click.option(
    "-s",
    "--set",
    "settings",
    metavar="KEY=VALUE",
    multiple=True,
    help="Put a value into the scenario: vm.web.vcpus=4, run.until=5ms. Repeatable.",
)
