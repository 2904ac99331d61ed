"""How `hgeisim explore` is told to search: a strategy, and what it may spend."""

from __future__ import annotations

from math import inf, isfinite
from typing import TYPE_CHECKING, Any

import click

from hgeisim.errors import InputError, Problem

if TYPE_CHECKING:
    from hgeisim.drivers.explored.model.budget import Budget

SEARCHING = ("portfolio", "exhaustive", "switches")
DRAWING = ("random", "priorities", "pct", "partial-order", "round-robin")
STRATEGIES = (*SEARCHING, *DRAWING)
"""Their names, here as well since the modules that have them take long to load."""
SCHEDULES = 1_000
"""Schedules that are drawn where nothing says how many."""
UNTIL_SPENT = 1_000_000_000
"""The same where something else ends it."""


class Seconds(click.FloatRange):
    """A number of seconds that ends."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Refuse what is no number, and what is none that a clock reaches."""
        seconds = super().convert(value, param, ctx)
        if not isfinite(seconds):
            self.fail(f"{value!r} is not a number of seconds.", param, ctx)
        return seconds


def check_strategy(options: dict[str, Any]) -> None:
    """Say which schedules are drawn, and how many: `sampler` and `walk`, or None.

    Raises `InputError` where a number of schedules is asked of a strategy that draws none.
    """
    strategy, walk = options["strategy"], options["walk"]
    if strategy in SEARCHING and walk:
        allowed = f"does not go with --strategy {strategy}, which draws no schedules"
        remedy = f"use --strategy {' or '.join(DRAWING)}"
        raise InputError([Problem("command line", "--walk", str(walk), allowed, remedy)])
    options["sampler"] = strategy if strategy in DRAWING else "random" if walk else None
    if options["sampler"] and not walk:
        ends = options["steps"] or options["seconds"] or options["memory"]
        options["walk"] = UNTIL_SPENT if ends else SCHEDULES


def budget_of(options: dict[str, Any]) -> Budget:
    """What may be spent.  Raises `InputError` for less memory than there is in use already."""
    from hgeisim.drivers.explored.model.budget import (  # noqa: PLC0415
        HEADROOM,
        Budget,
        resident_mib,
    )

    memory, used = options["memory"], resident_mib()
    if memory and used >= HEADROOM * memory:
        allowed = f"is less than what is in use before the search begins, {used:.0f} MiB"
        remedy = f"take {2 * used:.0f} or more"
        raise InputError([Problem("command line", "--memory", str(memory), allowed, remedy)])
    return Budget(*(options[each] or inf for each in ("steps", "seconds", "memory")))
