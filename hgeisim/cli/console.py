"""Output of the subcommands: tables that survive a mail, JSON, and progress on a terminal.

Off a terminal everything is plain ASCII layout, 80 columns (or $COLUMNS) wide, and longer cells
are folded, never cut.  On one, its stderr shows how far a long run or search has come.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


WIDTH_DEFAULT = 80
WIDTH_MIN, WIDTH_MAX = 40, 9999
"""Widths that $COLUMNS may say; in fewer columns a table would lose some of its own."""
_RULE_UNDER_HEAD = "    \n    \n -- \n" + "    \n" * 5


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


def table(heads: Sequence[str], rows: Iterable[Sequence[object]], title: str = "") -> Table:
    """Lay out rows under heads; a column that holds only numbers (and "-") goes to the right."""
    from rich.box import Box  # noqa: PLC0415 - late, for a quick --help
    from rich.table import Table  # noqa: PLC0415

    cells = [[str(cell) for cell in row] for row in rows]
    made = Table(title=title or None, box=Box(_RULE_UNDER_HEAD, ascii=True), show_edge=False)
    made.title_justify, made.title_style, made.pad_edge = "left", "bold", False
    for at, head in enumerate(heads):
        numbers = all(_is_number(row[at]) for row in cells)
        made.add_column(head, justify="right" if numbers else "left", overflow="fold")
    for row in cells:
        made.add_row(*row)
    return made


def print_table(heads: Sequence[str], rows: Iterable[Sequence[object]], title: str = "") -> None:
    """Print a table to stdout, without the spaces that would trail its lines in a mail."""
    out = console()
    if out.is_terminal:
        out.print(table(heads, rows, title))
        return
    with out.capture() as text:
        out.print(table(heads, rows, title))
    for line in text.get().splitlines():
        sys.stdout.write(line.rstrip() + "\n")


def print_json(document: Any) -> None:
    """Print one JSON document to stdout, with its keys in the order in which they stand."""
    few_letters = not (sys.stdout.encoding or "utf-8").lower().startswith("utf")
    text = json.dumps(document, indent=2, ensure_ascii=few_letters, allow_nan=False)
    sys.stdout.write(text + "\n")


def _is_number(cell: str) -> bool:
    """`12`, `1.5 %`, `-` and nothing at all are numbers here."""
    head = cell.replace(",", "").split(" ")[0].rstrip("%!")
    return head in ("", "-") or head.lstrip("-").replace(".", "", 1).isdigit()


@contextmanager
def simulated_time(until_ns: int) -> Iterator[Callable[[int], None]]:
    """Show a bar of simulated time with what is left by the clock; yields whom to tell the time
    that was reached.  It is gone when the run is over."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    from hgeisim.scenario.table import UNIT_NS  # noqa: PLC0415 - loads pydantic

    unit, unit_ns = next(each for each in UNIT_NS.items() if until_ns >= each[1])
    end = f"{until_ns / unit_ns:g} {unit}"
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("left:"))
    bar = Progress(*columns, TimeRemainingColumn(), console=console(sys.stderr), transient=True)
    with bar:
        task = bar.add_task(f"0.0 of {end}", total=until_ns)

        def reached(now_ns: int) -> None:
            told = f"simulated {now_ns / unit_ns:.1f} of {end}"
            bar.update(task, completed=now_ns, description=told)

        yield reached


@contextmanager
def comparing(base: str | None) -> Iterator[None]:
    """Say that a base runs, if there is one."""
    if base is None or not sys.stderr.isatty():
        yield
        return
    with console(sys.stderr).status(f"comparing with runs of {base}"):
        yield


@contextmanager
def searched_states(
    what: str, found: Collection[str] = ()
) -> Iterator[Callable[[int, int], None] | None]:
    """Show how many states were seen, how many a second, and which findings were `found`, after
    words for what goes on; how many states there are is not known.

    Yields whom to tell, None where stderr is not a terminal.
    """
    if not sys.stderr.isatty():
        yield None
        return
    with console(sys.stderr).status(what) as status:
        rate = Rate(monotonic)

        def reached(seen: int, left: int) -> None:
            told = f"{what}: {seen:,} states, {rate.of(seen):,.0f}/s, {left:,} to expand"
            status.update("; ".join((told, *found)))

        yield reached


class Rate:
    """How fast a count grows; it may begin again.  `clock` tells seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock, self.began_s, self.last = clock, clock(), 0

    def of(self, count: int) -> float:
        """How many a second since it began, now that there are so many."""
        if count < self.last:
            self.began_s = self.clock()
        self.last = count
        return count / max(self.clock() - self.began_s, 1e-3)
