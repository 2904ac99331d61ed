"""Options and arguments of several commands, with their completion in a shell.

A path, `-s KEY=VALUE`, a kernel, options with several values such as `--series A B C`, seconds.
Nothing here loads a heavy module before it is used, so that help and completion are quick.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from math import isfinite
from pathlib import Path
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from hgeisim.errors import InputError, Problem


class _PathType(click.Path):
    """A path that a disk can have: click trips on a NUL, which only a program can give it."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if "\0" in str(value):
            allowed = "must be a path, which has no NUL in it"
            raise InputError([Problem("command line", "", repr(str(value)), allowed)])
        return super().convert(value, param, ctx)


Command = TypeVar("Command", bound=Callable[..., Any])
PATH = _PathType(path_type=Path)


settings_option = click.option(
    "-s",
    "--set",
    "settings",
    metavar="KEY=VALUE",
    multiple=True,
    help="Put a value into the scenario: vm.web.vcpus=4, run.until=5ms. Repeatable.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
"""Of every command that prints one JSON document of all it found."""


def variant_option(help_text: str, **settings: Any) -> Callable[[Command], Command]:
    """The option `--variant`, which executes the files that it names."""
    return executing_option("--variant", help_text, **settings)


def executing_option(name: str, help_text: str, **settings: Any) -> Callable[[Command], Command]:
    """An option that names a kernel, and executes the files that it names."""
    return click.option(
        name, help=help_text, callback=_executing, shell_complete=complete_variants, **settings
    )


def _executing(ctx: click.Context, option: click.Parameter, variant: Any) -> Any:
    from hgeisim.library.own_patch import execute  # noqa: PLC0415 - late, for a quick --help

    if not ctx.resilient_parsing:  # a shell that completes runs nothing
        if isinstance(variant, str):
            variant = left_to_model(variant, ctx.meta.get(FROM_MODEL, ()))
        for each in (variant,) if isinstance(variant, str) else variant or ():
            execute(each)
    return variant


FROM_MODEL = "hgeisim.from_model"
OBJECT = "object:"
from_model_option = click.option(
    "--from-model",
    metavar="FUNCTION",
    multiple=True,
    is_eager=True,
    expose_value=False,
    callback=lambda ctx, _, names: ctx.meta.update({FROM_MODEL: names}),
    help="With objects: leave this function to the model. Repeatable.",
)


def left_to_model(variant: str, functions: Sequence[str]) -> str:
    """A variant whose objects leave some functions to the model: `object:BUILD:FUNCTION`."""
    if not functions:
        return variant
    parts = variant.split("+")
    if not parts[-1].startswith(OBJECT):
        allowed = "needs objects at the end of --variant: v6.12+stable+object:BUILD"
        where = "--from-model"
        raise InputError([Problem("command line", where, ", ".join(functions), allowed)])
    return "+".join([*parts[:-1], ":".join([parts[-1], *functions])])


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


class Seconds(click.FloatRange):
    """A number of seconds that ends."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Refuse what is not a number, and what no clock reaches."""
        seconds = super().convert(value, param, ctx)
        if not isfinite(seconds):
            self.fail(f"{value!r} is not a number of seconds.", param, ctx)
        return seconds


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
