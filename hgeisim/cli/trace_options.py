"""What the commands of `hgeisim trace` have in common."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hgeisim.cli.paths import PATH
from hgeisim.errors import InputError, Problem

if TYPE_CHECKING:
    from hgeisim.trace.events import Events
    from hgeisim.trace.imported import Progress

events_option = click.option(
    "--events", type=PATH, metavar="TABLE.toml",
    help="Other names of events and arguments.",
)  # fmt: skip
lines_option = click.option(
    "--lines", metavar="N[,N...]", help="Lines of each HART, or of every one."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


def events_of_user(path: Path | None) -> Events:
    """The table of events, with the names of a user's file."""
    if path is None:
        from hgeisim.trace.events import Events  # noqa: PLC0415 - late: --help is quick

        return Events()
    from hgeisim.trace.event_file import load_events  # noqa: PLC0415 - loads pydantic

    return load_events(path)


def lines_of_user(text: str | None) -> tuple[int, ...]:
    """Read the lines of each HART."""
    from hgeisim.machine.topology import HGEIE_BITS_MAX  # noqa: PLC0415

    words = text.split(",") if text is not None else []
    if all(_is_number(word) and int(word) <= HGEIE_BITS_MAX for word in words):
        return tuple(map(int, words))
    allowed = f"must be numbers 0..{HGEIE_BITS_MAX} with commas between, such as 7,7,3,3"
    raise InputError([Problem("--lines", "", repr(text), allowed)])


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdecimal() and len(word) <= 5


@contextmanager
def reading_progress() -> Iterator[Progress | None]:
    """Show on a terminal how many records were read; how many there are is not known."""
    from hgeisim.cli.console import console  # noqa: PLC0415

    if not sys.stderr.isatty():
        yield None
        return
    with console(sys.stderr).status("reading") as status:
        yield lambda count: status.update(f"{count:,} events")
