"""How to search: a strategy and what it may spend, by keyword arguments as by options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from math import inf
from typing import TYPE_CHECKING, Any, TypedDict

from hgeisim.library.arguments import check_names, wrong

if TYPE_CHECKING:
    from hgeisim.drivers.explored.counterexample.token import Token
    from hgeisim.drivers.explored.model.budget import Budget

SEARCHING = ("portfolio", "exhaustive", "switches")
DRAWING = ("random", "priorities", "pct", "partial-order", "round-robin")
STRATEGIES = (*SEARCHING, *DRAWING)
"""Their names, here as well since the modules that have them take long to load."""
SCHEDULES = 1_000
"""Schedules that are drawn where nothing says how many."""
UNTIL_SPENT = 1_000_000_000
"""The same where something else ends the search."""
OVERRIDES = ("variant", "preemption", "seed")


class Options(TypedDict, total=False):
    """The keyword arguments of `explore`."""

    variant: str | None
    preemption: str | None
    seed: int | None
    base: str | None
    strategy: str | None
    walk: int | None
    states: int
    steps: int | None
    seconds: float | None
    memory: int | None
    after: str | None
    races: bool
    first: bool
    strict: bool


@dataclass(frozen=True)
class How:
    """How to search, and when to give up.

    `base` is the kernel to compare with, `strategy` how to search, `walk` the number of schedules
    to draw instead.  A search gives up after `states`, `steps`, `seconds` or with `memory` MiB in
    use.  It begins `after` the schedule of a token.  `races` looks for data races, `first` stops at
    the first new finding, and `strict` counts accepted findings as new.
    """

    base: str | None = None
    strategy: str | None = None
    walk: int | None = None
    states: int = 5_000_000
    steps: int | None = None
    seconds: float | None = None
    memory: int | None = None
    after: str | None = None
    races: bool = False
    first: bool = False
    strict: bool = False

    @property
    def sampler(self) -> str | None:
        """The strategy that draws schedules; None where all of them are searched."""
        if self.strategy in DRAWING:
            return self.strategy
        return "random" if self.walk else None

    @property
    def schedules(self) -> int:
        """The number of schedules to draw."""
        ends = self.steps or self.seconds or self.memory
        return self.walk or (UNTIL_SPENT if ends else SCHEDULES)


def how_of(function: str, options: Mapping[str, Any]) -> tuple[How, dict[str, Any]]:
    """Keyword arguments as a way to search, and as overrides of the scenario.

    InputError: an argument does not exist, a strategy does not exist or does not go with a `walk`,
    or a number is below 1.
    """
    known = [field.name for field in fields(How)]
    check_names(function, options, (*OVERRIDES, *known))
    how = How(**{name: options[name] for name in known if name in options})
    if how.strategy not in (None, *STRATEGIES):
        raise wrong((function, "strategy"), how.strategy, f"must be one of {', '.join(STRATEGIES)}")
    for name in ("walk", "states", "steps", "seconds", "memory"):
        if (number := getattr(how, name)) is not None and not number > 0:
            raise wrong((function, name), str(number), "must be more than 0")
    if how.strategy in SEARCHING and how.walk:
        allowed = f"does not go with strategy {how.strategy}, which draws no schedules"
        remedy = f"use strategy {' or '.join(DRAWING)}"
        raise wrong((function, "walk"), str(how.walk), allowed, remedy)
    return how, {name: options[name] for name in OVERRIDES if name in options}


def budget_of(how: How) -> Budget:
    """The budget of a search.  InputError: it has less memory than there is in use already."""
    from hgeisim.drivers.explored.model.budget import (  # noqa: PLC0415
        HEADROOM,
        Budget,
        resident_mib,
    )

    used = resident_mib()
    if how.memory and used >= HEADROOM * how.memory:
        allowed = f"is less than what is in use before the search begins, {used:.0f} MiB"
        remedy = f"take {2 * used:.0f} or more"
        raise wrong(("explore", "memory"), str(how.memory), allowed, remedy)
    return Budget(how.steps or inf, how.seconds or inf, how.memory or inf)


def decoded(word: str, place: tuple[str, str]) -> Token:
    """The token in a word; `place` is the function and its argument.  Raises `InputError`."""
    from hgeisim.drivers.explored.counterexample.token import TokenError, decode  # noqa: PLC0415

    try:
        return decode(word)
    except TokenError as error:
        shown = word if len(word) < 40 else f"{word[:36]}..."
        raise wrong(place, shown, f"is not a replay token: {error}", error.remedy) from None
