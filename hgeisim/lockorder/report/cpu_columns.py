"""CPUs side by side as they hang: the drawing that lockdep readers know."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from hgeisim.lockorder.report.violation import Link, Report

_GAP = 4
_NARROW = 12
_WIDTH_MAX = 100
_INTERRUPT = "<Interrupt>"


class Cell(NamedTuple):
    """What one CPU does in one row."""

    cpu: int
    text: str


def cpu_columns(report: Report) -> list[str]:
    """The lines of the drawing; none when a report is about one place only."""
    if report.kind == "circular":
        return _table(_cycle(report.chain))
    if report.kind == "irq-usage":
        return _table(_interrupted(report.marks[0].cls))
    if report.kind in ("irq-inversion", "irq-dependency"):
        return _table(_inversion(report))
    if report.kind == "recursion" and report.wanted and report.holding:
        waits = f"{_word(report.wanted.mode)}({report.wanted.name})  <- waits for itself"
        return _table(
            [Cell(0, f"{_word(report.holding.mode)}({report.holding.name})"), Cell(0, waits)]
        )
    return []


def _cycle(links: Sequence[Link]) -> list[Cell]:
    """First everybody has something, then everybody waits for the next one."""
    has = [Cell(cpu, _has(link)) for cpu, link in enumerate(links)]
    waits = [
        Cell(cpu, f"{link.verb}({link.target})  <- waits for CPU{(cpu + 1) % len(links)}")
        for cpu, link in enumerate(links)
    ]
    return has + waits[::-1]


def _has(link: Link) -> str:
    """What a CPU has that another one waits for."""
    if link.owed:
        return f"(must answer {link.source})"
    return f"{'lock' if link.kind.startswith('E') else 'rlock'}({link.source})"


def _interrupted(cls: str) -> list[Cell]:
    return [
        Cell(0, f"lock({cls})"),
        Cell(0, _INTERRUPT),
        Cell(0, f"  lock({cls})  <- waits for itself"),
    ]


def _inversion(report: Report) -> list[Cell]:
    """CPU0 is interrupted inside the unsafe lock; the others lead from the safe one to it."""
    safe, links = report.marks[0].cls, report.chain
    has = [Cell(cpu, _has(link)) for cpu, link in enumerate(links, start=1)]
    waits = [
        Cell(cpu, f"{link.verb}({link.target})  <- waits for CPU{(cpu + 1) % (len(links) + 1)}")
        for cpu, link in enumerate(links, start=1)
    ]
    interrupt = [Cell(0, _INTERRUPT), Cell(0, f"  lock({safe})  <- waits for CPU1")]
    return [Cell(0, f"lock({report.marks[1].cls})"), *has, *waits[::-1], *interrupt]


def _word(mode: str) -> str:
    return {"W": "lock", "-": "sync"}.get(mode, "rlock")


def _table(cells: Sequence[Cell]) -> list[str]:
    """A column for each CPU: as wide as what stands in it, or all narrow when that is too wide.

    Columns may overlap, for only one CPU acts in a row.
    """
    cpus = range(max(cell.cpu for cell in cells) + 1)
    widths = [max(len(cell.text) for cell in cells if cell.cpu == cpu) + _GAP for cpu in cpus]
    if sum(widths) > _WIDTH_MAX:
        widths = [_NARROW for _ in cpus]
    head = "".join(f"CPU{cpu}".ljust(widths[cpu]) for cpu in cpus).rstrip()
    return [head, *(" " * sum(widths[: cell.cpu]) + cell.text for cell in cells)]
