"""--power: the options that go with it."""

from __future__ import annotations

from typing import Any

from hgeisim.errors import InputError, Problem

OF_A_SEARCH = (
    *("base", "strategy", "walk", "steps", "memory", "after", "proof", "first", "mail", "finding"),
    *("full", "strict", "races"),
)
OF_A_RUN = ("base", "out", "record", "mail", "finding", "strict")
"""Options that it has no use for."""


def check(options: dict[str, Any], alone: tuple[str, ...]) -> None:
    """Refuse options that it would ignore.  Raises `InputError`."""
    if what := next((option for option in alone if options[option]), None):
        allowed = "does not go with --power, which makes all of it for each fault"
        raise InputError([Problem("command line", f"--{what}", "", allowed, f"leave --{what} out")])
