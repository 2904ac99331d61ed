"""The table of locks: how long each was waited for, and held."""

from __future__ import annotations

from typing import Any

import numpy as np

from hgeisim.kernel.main import Module
from hgeisim.machine.mutex import DownRead, DownWrite, MutexLock, MutexUnlock, UpRead, UpWrite
from hgeisim.machine.ops import Try
from hgeisim.machine.rwlock import ReadLock, ReadUnlock, WriteLock, WriteUnlock
from hgeisim.machine.spinlock import Acquire, Release
from hgeisim.machine.task import Runner
from hgeisim.machine.watch import done
from hgeisim.runs.tables import LOCKS, Records
from hgeisim.watch.lock_table import LockTable


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
        """A lock may be held, by a trylock."""
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
