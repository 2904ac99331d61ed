"""Waits and holds as /proc/lock_stat prints them: a row for each class, in µs, contended first.

Not measured here, and so `-`: bounces between CPUs, the least of waits and of holds, and contention
points.  Only spinning locks are measured.
"""

from __future__ import annotations

from hgeisim.record.locks import LockTable, LockUse

HEADS = (
    "con-bounces", "contentions", "waittime-min", "waittime-max", "waittime-total",
    "waittime-avg", "acq-bounces", "acquisitions", "holdtime-min", "holdtime-max",
    "holdtime-total", "holdtime-avg",
)  # fmt: skip
NAME_WIDTH, WIDTH = 40, 15
READERS = " (read)"
"""How `LockTable` marks the row of readers."""


def lock_stat(table: LockTable) -> str:
    """The text of /proc/lock_stat, version 0.4; writers and readers have rows of their own."""
    uses = _by_class(table)
    order = sorted(uses, key=lambda name: (-uses[name].contended, name))
    rule = "-" * (NAME_WIDTH + 1 + WIDTH * len(HEADS))
    lines = ["lock_stat version 0.4", rule, _row("class name", *HEADS), rule]
    return "\n".join([*lines, *(_row(f"{name}:", *_cells(uses[name])) for name in order)]) + "\n"


def _by_class(table: LockTable) -> dict[str, LockUse]:
    readable = {cls for name, cls in table.rows if name.endswith(READERS)}
    uses: dict[str, LockUse] = {}
    for (name, cls), use in table.rows.items():
        suffix = ("-R" if name.endswith(READERS) else "-W") if cls in readable else ""
        uses.setdefault(f"{cls}{suffix}", LockUse()).add(use)
    return uses


def _cells(use: LockUse) -> tuple[str, ...]:
    waits = _us(use.wait_ns_max), _us(use.wait_ns_total), _average(use.wait_ns_total, use.contended)
    holds = (
        _us(use.hold_ns_max),
        _us(use.hold_ns_total),
        _average(use.hold_ns_total, use.acquisitions),
    )
    return ("-", str(use.contended), "-", *waits, "-", str(use.acquisitions), "-", *holds)


def _us(ns: int) -> str:
    return f"{ns / 1000:.2f}"


def _average(ns: int, count: int) -> str:
    return _us(ns // count) if count else "0.00"


def _row(name: str, *cells: str) -> str:
    return f"{name:>{NAME_WIDTH}} " + "".join(f"{cell:>{WIDTH}}" for cell in cells)
