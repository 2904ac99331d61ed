"""What a shell can complete beside subcommands and options."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem


def scenarios(ctx: click.Context, argument: click.Parameter, begun: str) -> list[CompletionItem]:
    """The built-in scenarios whose names begin so, and files."""
    from hgeisim.scenario.locate import built_in_names  # noqa: PLC0415 - late, for a quick --help

    names = [name for name in built_in_names() if name.startswith(begun)]
    return [*map(CompletionItem, names), CompletionItem(begun, type="file")]


def kernels(ctx: click.Context, argument: click.Parameter, begun: str) -> list[CompletionItem]:
    """The kernels that `variants` completes, and files."""
    return [*variants(ctx, argument, begun), CompletionItem(begun, type="file")]


def patches(ctx: click.Context, option: click.Parameter, begun: str) -> list[CompletionItem]:
    """The patches that come with hgeisim, and files."""
    from hgeisim.kernel.variants import PATCHES  # noqa: PLC0415

    names = [name for name in PATCHES if name.startswith(begun)]
    return [*map(CompletionItem, names), CompletionItem(begun, type="file")]


def variants(ctx: click.Context, option: click.Parameter, begun: str) -> list[CompletionItem]:
    """The bases, or after a `+` the patches."""
    from hgeisim.kernel.variants import BASES, PATCHES  # noqa: PLC0415

    before, plus, last = begun.rpartition("+")
    names = [name for name in (PATCHES if plus else BASES) if name.startswith(last)]
    return [CompletionItem(f"{before}{plus}{name}") for name in names]
