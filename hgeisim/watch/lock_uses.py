"""The table of locks: how often and how long each was waited for and held, counted while a kernel
runs, and printed as /proc/lock_stat prints it.

The text of lock_stat has a row for each class, in µs, contended first.  Bounces between CPUs, the
minimum of waits and of holds, and contention points are not measured and printed as `-`.  SRCU is
not measured at all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, TypeAlias

import numpy as np

from hgeisim.kernel.main import Module
from hgeisim.machine.mutex import (
    DownRead,
    DownWrite,
    Mutex,
    MutexLock,
    MutexUnlock,
    RwSem,
    UpRead,
    UpWrite,
)
from hgeisim.machine.ops import Try
from hgeisim.machine.rwlock import ReadLock, ReadUnlock, RwLock, WriteLock, WriteUnlock
from hgeisim.machine.spinlock import Acquire, RawSpinlock, Release
from hgeisim.machine.task import Runner
from hgeisim.machine.watch import done
from hgeisim.runs.tables import LOCKS, LockUse, Records

Exclusive: TypeAlias = RawSpinlock | RwLock | Mutex | RwSem
Shareable: TypeAlias = RwLock | RwSem
READERS = " (read)"
"""The mark of a row of readers."""


class Rows(dict[Exclusive, LockUse]):
    """The row of each lock; a lock that is not counted by itself shares the row of its class."""

    def __init__(self, table: LockTable) -> None:
        self.table = table

    def __missing__(self, lock: Exclusive) -> LockUse:
        use = self[lock] = self.table.rows[lock.lock_class, lock.lock_class]
        return use


class LockTable:
    """The use of each HGEI lock by itself, and of all other locks by class.

    Readers of a class have a row of their own, `CLASS (read)`.  A lock taken before time 0 counts
    as taken at time 0.
    """

    def __init__(self, own: Iterable[RawSpinlock]) -> None:
        self.rows: defaultdict[tuple[str, str], LockUse] = defaultdict(LockUse)
        self.uses = Rows(self)
        for lock in own:
            self.uses[lock] = self.rows[lock.name, lock.lock_class]
        self.taken_ns: dict[Exclusive, int] = {}
        self.read_ns: dict[tuple[Shareable, Runner], int] = {}

    def acquired(self, lock: Exclusive, now_ns: int, wait_ns: int) -> None:
        """Note that a lock was taken now, after a wait."""
        self.uses[lock].take(wait_ns)
        self.taken_ns[lock] = now_ns

    def released(self, lock: Exclusive, now_ns: int) -> None:
        """Note that a lock was dropped now."""
        self.uses[lock].drop(now_ns - self.taken_ns.get(lock, 0))

    def read_acquired(self, lock: Shareable, who: Runner, now_ns: int, wait_ns: int) -> None:
        """Note that a reader entered, after a wait."""
        self._readers(lock).take(wait_ns)
        self.read_ns[lock, who] = now_ns

    def read_released(self, lock: Shareable, who: Runner, now_ns: int) -> None:
        """Note that a reader left."""
        self._readers(lock).drop(now_ns - self.read_ns.pop((lock, who), 0))

    def _readers(self, lock: Shareable) -> LockUse:
        return self.rows[f"{lock.lock_class}{READERS}", lock.lock_class]


class LockUses:
    """Counts acquisitions, waits and holds; each HGEI lock by itself."""

    def __init__(self, k: Module) -> None:
        self.now, self.locks = k.ktime_get, LockTable(hgctrl.lock for hgctrl in k.hgei)

    @done(Acquire, WriteLock, MutexLock, DownWrite)
    def taken(self, who: Runner, op: Any, waited_ns: int) -> None:
        """A lock is held."""
        self.locks.acquired(op.lock, self.now(), waited_ns)

    @done(Try)
    def tried(self, who: Runner, op: Any, waited_ns: int) -> None:
        """A trylock may have taken a lock."""
        if who.got:
            take = self.read_taken if isinstance(op.of, ReadLock | DownRead) else self.taken
            take(who, op, 0)

    @done(Release, WriteUnlock, MutexUnlock, UpWrite)
    def dropped(self, who: Runner, op: Any, waited_ns: int) -> None:
        """A lock is no longer held."""
        self.locks.released(op.lock, self.now())

    @done(ReadLock, DownRead)
    def read_taken(self, who: Runner, op: Any, waited_ns: int) -> None:
        """A reader is inside."""
        self.locks.read_acquired(op.lock, who, self.now(), waited_ns)

    @done(ReadUnlock, UpRead)
    def read_dropped(self, who: Runner, op: Any, waited_ns: int) -> None:
        """A reader has left."""
        self.locks.read_released(op.lock, who, self.now())

    def table(self, end_ns: int) -> Records:
        """A row for each lock, or class of locks."""
        return np.array([(*key, *use.row()) for key, use in self.locks.rows.items()], LOCKS)


STAT_HEADS = (
    "con-bounces", "contentions", "waittime-min", "waittime-max", "waittime-total",
    "waittime-avg", "acq-bounces", "acquisitions", "holdtime-min", "holdtime-max",
    "holdtime-total", "holdtime-avg",
)  # fmt: skip
NAME_WIDTH, WIDTH = 40, 15


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
    waits = _times(use.wait_ns_max, use.wait_ns_total, use.contended)
    holds = _times(use.hold_ns_max, use.hold_ns_total, use.acquisitions)
    return ("-", str(use.contended), "-", *waits, "-", str(use.acquisitions), "-", *holds)


def _times(max_ns: int, total_ns: int, count: int) -> tuple[str, ...]:
    """The maximum, the total and the average in µs."""
    average_ns = total_ns // count if count else 0
    return tuple(f"{ns / 1000:.2f}" for ns in (max_ns, total_ns, average_ns))


def _stat_row(name: str, *cells: str) -> str:
    return f"{name:>{NAME_WIDTH}} " + "".join(f"{cell:>{WIDTH}}" for cell in cells)
