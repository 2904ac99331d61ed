"""Waits and holds of each lock, counted while a kernel runs, and as /proc/lock_stat prints them.

The text of lock_stat has a row for each class, in µs, contended first.  Not measured here, and so
`-`: bounces between CPUs, the least of waits and of holds, and contention points.  Only spinning
locks are measured.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from hgeisim.machine.mutex import Mutex, RwSem
from hgeisim.machine.rwlock import RwLock
from hgeisim.machine.spinlock import RawSpinlock
from hgeisim.machine.task import Runner
from hgeisim.runs.tables import LockUse

Exclusive: TypeAlias = RawSpinlock | RwLock | Mutex | RwSem
Shareable: TypeAlias = RwLock | RwSem


class LockTable:
    """The use of each HGEI lock by itself, and of all other locks by class.

    Readers of a class have a row of their own, `CLASS (read)`.  What was taken before time 0 counts
    as taken then.
    """

    def __init__(self, own: Iterable[RawSpinlock]) -> None:
        self.rows: dict[tuple[str, str], LockUse] = {}
        self.uses: dict[Exclusive, LockUse] = {
            lock: self._row(lock.name, lock.lock_class) for lock in own
        }
        self.taken_ns: dict[Exclusive, int] = {}
        self.read_ns: dict[tuple[Shareable, Runner], int] = {}

    def acquired(self, lock: Exclusive, now_ns: int, wait_ns: int) -> None:
        """Note that a lock was taken now, after a wait."""
        use = self.uses.get(lock)
        if use is None:
            use = self.uses[lock] = self._row(lock.lock_class, lock.lock_class)
        use.take(wait_ns)
        self.taken_ns[lock] = now_ns

    def released(self, lock: Exclusive, now_ns: int) -> None:
        """Note that a lock was dropped now."""
        use = self.uses.get(lock)
        if use is None:
            use = self.uses[lock] = self._row(lock.lock_class, lock.lock_class)
        use.drop(now_ns - self.taken_ns.get(lock, 0))

    def read_acquired(self, lock: Shareable, who: Runner, now_ns: int, wait_ns: int) -> None:
        """Note that a reader went in, after a wait."""
        self._readers(lock).take(wait_ns)
        self.read_ns[lock, who] = now_ns

    def read_released(self, lock: Shareable, who: Runner, now_ns: int) -> None:
        """Note that a reader went out."""
        self._readers(lock).drop(now_ns - self.read_ns.pop((lock, who), 0))

    def _readers(self, lock: Shareable) -> LockUse:
        return self._row(f"{lock.lock_class} (read)", lock.lock_class)

    def _row(self, name: str, lock_class: str) -> LockUse:
        use = self.rows.get((name, lock_class))
        if use is None:
            use = self.rows[name, lock_class] = LockUse()
        return use


STAT_HEADS = (
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
    rule = "-" * (NAME_WIDTH + 1 + WIDTH * len(STAT_HEADS))
    lines = ["lock_stat version 0.4", rule, _stat_row("class name", *STAT_HEADS), rule]
    return (
        "\n".join([*lines, *(_stat_row(f"{name}:", *_cells(uses[name])) for name in order)]) + "\n"
    )


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


def _stat_row(name: str, *cells: str) -> str:
    return f"{name:>{NAME_WIDTH}} " + "".join(f"{cell:>{WIDTH}}" for cell in cells)
