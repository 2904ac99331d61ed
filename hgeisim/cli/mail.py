"""--mail, --finding and --full: a finding as text that can be pasted into a mail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

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
