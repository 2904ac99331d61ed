"""How `hgeisim explore` is told to search: a strategy, and what it may spend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
    """What may be spent, from now on."""
    from math import inf  # noqa: PLC0415

    from hgeisim.drivers.explored.model.budget import Budget  # noqa: PLC0415

    return Budget(*(options[each] or inf for each in ("steps", "seconds", "memory")))
