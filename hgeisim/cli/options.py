"""Options and arguments of several commands: what they take, and what a shell can complete.

A path, `-s KEY=VALUE`, options with several values such as `--series A B C`, a replay token, and
how `hgeisim explore` is to search: a strategy, and what it may spend.
Nothing here loads a heavy module before it is used, so that help and completion come at once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from math import inf, isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from hgeisim.errors import InputError, Problem

if TYPE_CHECKING:
    from hgeisim.drivers.explored.counterexample.token import Token
    from hgeisim.drivers.explored.model.budget import Budget


class _PathType(click.Path):
    """A path that a disk can have: click trips on a NUL, which only a program can give it."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if "\0" in str(value):
            allowed = "must be a path, which has no NUL in it"
            raise InputError([Problem("command line", "", repr(str(value)), allowed)])
        return super().convert(value, param, ctx)


PATH = _PathType(path_type=Path)


settings_option = click.option(
    "-s",
    "--set",
    "settings",
    metavar="KEY=VALUE",
    multiple=True,
    help="Put a value into the scenario: vm.web.vcpus=4, run.until=5ms. Repeatable.",
)


class Several(click.Option):
    """An option that takes every word up to the next option."""

    def __init__(self, names: Sequence[str], **settings: Any) -> None:
        super().__init__(names, multiple=True, **settings)


class WithSeveral(click.Command):
    """A command that has such options."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the command line."""
        names = {name for each in self.params if isinstance(each, Several) for name in each.opts}
        try:
            return super().parse_args(ctx, list(spread(args, names)))
        except click.MissingParameter as error:
            swallowed = next((word for word in args if word.partition("=")[0] in names), "")
            if not swallowed or not isinstance(error.param, click.Argument):
                raise
            hint = f"name it before {swallowed}, which takes every word up to the next option"
            raise click.UsageError(f"{error.format_message()[:-1]}: {hint}.", ctx) from None


def spread(words: Iterable[str], names: Collection[str]) -> Iterator[str]:
    """The words with the option before each of its values: `--series A --series B`."""
    option, first = "", False
    for word in words:
        if word.startswith("-"):
            name, given, _ = word.partition("=")
            option, first = (name, not given) if name in names else ("", False)
        elif option and not first:
            yield option
        else:
            first = False
        yield word


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


def complete_scenarios(
    ctx: click.Context, argument: click.Parameter, begun: str
) -> list[CompletionItem]:
    """The built-in scenarios whose names begin so, and files."""
    from hgeisim.scenario.find import built_in_names  # noqa: PLC0415 - late, for a quick --help

    names = [name for name in built_in_names() if name.startswith(begun)]
    return [*map(CompletionItem, names), CompletionItem(begun, type="file")]


def complete_kernels(
    ctx: click.Context, argument: click.Parameter, begun: str
) -> list[CompletionItem]:
    """The kernels that `variants` completes, and files."""
    return [*complete_variants(ctx, argument, begun), CompletionItem(begun, type="file")]


def complete_patches(
    ctx: click.Context, option: click.Parameter, begun: str
) -> list[CompletionItem]:
    """The patches that come with hgeisim, and files."""
    from hgeisim.kernel.variants import PATCHES  # noqa: PLC0415

    names = [name for name in PATCHES if name.startswith(begun)]
    return [*map(CompletionItem, names), CompletionItem(begun, type="file")]


def complete_variants(
    ctx: click.Context, option: click.Parameter, begun: str
) -> list[CompletionItem]:
    """The bases, or after a `+` the patches."""
    from hgeisim.kernel.variants import BASES, PATCHES  # noqa: PLC0415

    before, plus, last = begun.rpartition("+")
    names = [name for name in (PATCHES if plus else BASES) if name.startswith(last)]
    return [CompletionItem(f"{before}{plus}{name}") for name in names]


def decoded(word: str, option: str) -> Token:
    """What a word says that an option was given.  Raises `InputError`."""
    from hgeisim.drivers.explored.counterexample.token import TokenError, decode  # noqa: PLC0415

    try:
        return decode(word)
    except TokenError as error:
        shown = word if len(word) < 40 else f"{word[:36]}..."
        problem = f"is no replay token: {error}"
        raise InputError([Problem("command line", option, shown, problem, error.remedy)]) from None
