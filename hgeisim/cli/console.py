"""Output of the subcommands: tables that survive a mail, JSON, and progress on a terminal.

Off a terminal everything is plain ASCII layout, 80 columns (or $COLUMNS) wide, and longer cells
are folded, never cut.  On one, its stderr shows how far a long run or search has come.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol, TextIO

import click

from hgeisim.library.progress import SILENT, Progress

if TYPE_CHECKING:
    from rich.console import Console

    from hgeisim.report.grid import Part


class Result(Protocol):
    """The answer of a function of the library: its `str` is the text of the command."""

    @property
    def document(self) -> Any:
        """The JSON document."""


WIDTH_DEFAULT = 80
WIDTH_MIN, WIDTH_MAX = 40, 9999
"""Widths that $COLUMNS may say; in fewer columns a table would lose some of its own."""


def console(file: TextIO | None = None) -> Console:
    """Make a console on `file` (default: stdout); colours and real width on a terminal only."""
    from rich.console import Console  # noqa: PLC0415 - late, for a quick --help

    stream, environ = file or sys.stdout, _environ()
    width = None if stream.isatty() else int(environ.get("COLUMNS", WIDTH_DEFAULT))
    style: Any = {"highlight": False, "markup": False, "emoji": False}
    return Console(file=stream, width=width, _environ=environ, **style)


def _environ() -> dict[str, str]:
    """The environment without a size that no terminal has; rich would take any."""
    sizes = () if _is_width(os.environ.get("COLUMNS", "")) else ("COLUMNS",)
    return {name: text for name, text in os.environ.items() if name not in (*sizes, "LINES")}


def _is_width(text: str) -> bool:
    digits = text.isascii() and text.isdecimal() and len(text) <= len(str(WIDTH_MAX))
    return digits and WIDTH_MIN <= int(text) <= WIDTH_MAX


def print_parts(parts: Iterable[Part]) -> None:
    """Print a text to stdout, its grids without the spaces that would trail in a mail."""
    from hgeisim.report.grid import table  # noqa: PLC0415 - late, for a quick --help

    for part in parts:
        if isinstance(part, str):
            click.echo(part)
            continue
        out = console()
        if out.is_terminal:
            out.print(table(part))
            continue
        with out.capture() as text:
            out.print(table(part))
        for line in text.get().splitlines():
            sys.stdout.write(line.rstrip() + "\n")


def print_result(result: Result, as_json: bool) -> None:
    """Print a result: its document as JSON, or its text."""
    if as_json:
        print_json(result.document)
    else:
        click.echo(str(result))


def print_json(document: Any) -> None:
    """Print one JSON document to stdout, with its keys in the order in which they stand."""
    few_letters = not (sys.stdout.encoding or "utf-8").lower().startswith("utf")
    text = json.dumps(document, indent=2, ensure_ascii=few_letters, allow_nan=False)
    sys.stdout.write(text + "\n")


def progress() -> Progress:
    """Shows how far a call has come; silent unless stderr is a terminal."""
    return OnTerminal() if sys.stderr.isatty() else SILENT


class OnTerminal(Progress):
    """Shows how far a call is on stderr; gone when the call is over."""

    @contextmanager
    def simulating(self, until_ns: int) -> Iterator[Callable[[int], None]]:
        """A bar of simulated time, with what is left by the clock."""
        from rich.progress import (  # noqa: PLC0415
            BarColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        from hgeisim.scenario.table import UNIT_NS  # noqa: PLC0415 - loads pydantic

        unit, unit_ns = next(each for each in UNIT_NS.items() if until_ns >= each[1])
        end = f"{until_ns / unit_ns:g} {unit}"
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("left:"))
        bar = Progress(*columns, TimeRemainingColumn(), console=console(sys.stderr), transient=True)
        with bar:
            task = bar.add_task(f"0.0 of {end}", total=until_ns)

            def reached(now_ns: int) -> None:
                done = f"simulated {now_ns / unit_ns:.1f} of {end}"
                bar.update(task, completed=now_ns, description=done)

            yield reached

    @contextmanager
    def replicating(self, what: str) -> Iterator[Callable[[int, int], None]]:
        """A bar of replications, with the time that is left by the clock."""
        from rich.progress import (  # noqa: PLC0415
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        left = (TextColumn("left:"), TimeRemainingColumn())
        bar = Progress(*columns, *left, console=console(sys.stderr), transient=True)
        with bar:
            task = bar.add_task(what, total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total)

    @contextmanager
    def comparing(self, base: str) -> Iterator[None]:
        """The name of the base that runs."""
        with console(sys.stderr).status(f"comparing with runs of {base}"):
            yield

    @contextmanager
    def searching(
        self, what: str, found: Collection[str] = ()
    ) -> Iterator[Callable[[int, int], None]]:
        """How many states were seen, how many a second, and which findings were `found`; how many
        there are is not known."""
        with console(sys.stderr).status(what) as status:
            rate = Rate(monotonic)

            def reached(seen: int, left: int) -> None:
                done = f"{what}: {seen:,} states, {rate.of(seen):,.0f}/s, {left:,} to expand"
                status.update("; ".join((done, *found)))

            yield reached

    @contextmanager
    def reading(self) -> Iterator[Callable[[int], None]]:
        """How many records were read; how many there are is not known."""
        with console(sys.stderr).status("reading") as status:
            yield lambda count: status.update(f"{count:,} events")

    @contextmanager
    def learning(self) -> Iterator[Callable[[str], None]]:
        """The scenario that runs."""
        with console(sys.stderr).status("learning") as status:
            yield lambda name: status.update(f"learning from {name}")


class Rate:
    """The growth of a count per second; it may begin again.  `clock` returns seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock, self.began_s, self.last = clock, clock(), 0

    def of(self, count: int) -> float:
        """The number per second since it began, given the count so far."""
        if count < self.last:
            self.began_s = self.clock()
        self.last = count
        return count / max(self.clock() - self.began_s, 1e-3)
