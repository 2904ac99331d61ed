"""CPUs side by side as they hang: the drawing that readers of lockdep know."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

from hgeisim.lockorder.report.violation import Link, Report

_GAP = 4
_NARROW = 12
_WIDTH_MAX = 100
_INTERRUPT = "<Interrupt>"


class Cell(NamedTuple):
    """The action of one CPU in one row."""

    cpu: int
    text: str


def cpu_columns(report: Report) -> list[str]:
    """The lines of the drawing; none when a report is about one place only."""
    if report.kind == "circular":
        return _table([*chain(*_has_and_waits(report.chain, first=0))])
    if report.kind == "irq-usage":
        lock = f"lock({report.marks[0].cls})"
        texts = (lock, _INTERRUPT, f"  {lock}  <- waits for itself")
        return _table([Cell(0, text) for text in texts])
    if report.kind in ("irq-inversion", "irq-dependency"):
        has, waits = _has_and_waits(report.chain, first=1)
        unsafe, safe = Cell(0, f"lock({report.marks[1].cls})"), f"  lock({report.marks[0].cls})"
        interrupt = [Cell(0, _INTERRUPT), Cell(0, f"{safe}  <- waits for CPU1")]
        # CPU0 is interrupted inside the unsafe lock; the others lead from the safe one to it.
        return _table([unsafe, *has, *waits, *interrupt])
    if report.kind == "recursion" and report.wanted and report.holding:
        held = f"{_word(report.holding.mode)}({report.holding.name})"
        wanted = f"{_word(report.wanted.mode)}({report.wanted.name})  <- waits for itself"
        return _table([Cell(0, held), Cell(0, wanted)])
    return []


def _has_and_waits(links: Sequence[Link], first: int) -> tuple[list[Cell], list[Cell]]:
    """The cells of CPUs from a `first` one on, one for each link: what it has, and what it waits
    for, the last CPU's wait first."""
    cpus = first + len(links)
    has, waits = [], []
    for cpu, link in enumerate(links, start=first):
        mode = "lock" if link.kind.startswith("E") else "rlock"
        owed = f"(must answer {link.source})"
        has.append(Cell(cpu, owed if link.owed else f"{mode}({link.source})"))
        wait = f"{link.verb}({link.target})  <- waits for CPU{(cpu + 1) % cpus}"
        waits.append(Cell(cpu, wait))
    return has, waits[::-1]


def _word(mode: str) -> str:
    return {"W": "lock", "-": "sync"}.get(mode, "rlock")


def _table(cells: Sequence[Cell]) -> list[str]:
    """A column for each CPU: as wide as its texts, or all narrow when that is too wide.

    Columns may overlap, since only one CPU acts in a row.
    """
    cpus = range(max(cell.cpu for cell in cells) + 1)
    widths = [max(len(cell.text) for cell in cells if cell.cpu == cpu) + _GAP for cpu in cpus]
    if sum(widths) > _WIDTH_MAX:
        widths = [_NARROW for _ in cpus]
    head = "".join(f"CPU{cpu}".ljust(widths[cpu]) for cpu in cpus).rstrip()
    return [head, *(" " * sum(widths[: cell.cpu]) + cell.text for cell in cells)]
