"""How far a long run or search has come, on the stderr of a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from time import monotonic

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
