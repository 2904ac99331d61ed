"""Options that take several values, such as `--series A B C`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

import click


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
