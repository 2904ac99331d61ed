"""How far a long run has come, on a terminal's stderr."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from hgeisim.cli.console import console
from hgeisim.scenario.duration import UNIT_NS


@contextmanager
def simulated_time(until_ns: int) -> Iterator[Callable[[int], None]]:
    """Show a bar of simulated time with what is left by the clock; yields whom to tell the time
    that was reached.  It is gone when the run is over."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

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
