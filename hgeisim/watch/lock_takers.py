"""The takers of one lock, counted from a time on: their waits, holds and turns."""

from __future__ import annotations

from dataclasses import dataclass

from hgeisim.kernel.main import Module
from hgeisim.machine.spinlock import Acquire, RawSpinlock, Release
from hgeisim.machine.task import Runner
from hgeisim.machine.watch import done
from hgeisim.runs.tables import LockUse


@dataclass
class Turns:
    """How often a thread had the lock, and how long in all it was without it between two turns."""

    count: int = 0
    away_ns: int = 0
    gave_back_ns: int | None = None


class LockTakers:
    """Counts the turns that begin at `from_ns` or later."""

    def __init__(self, k: Module, lock: RawSpinlock, from_ns: int) -> None:
        self.now, self.lock, self.from_ns = k.ktime_get, lock, from_ns
        self.use, self.turns = LockUse(), dict[Runner, Turns]()
        self.taken_ns = 0

    @done(Acquire)
    def taken(self, who: Runner, op: Acquire, waited_ns: int) -> None:
        """A thread has the lock."""
        if op.lock is not self.lock:
            return
        self.taken_ns = self.now()
        turns = self.turns.setdefault(who, Turns())
        if self.taken_ns < self.from_ns:
            return
        self.use.take(waited_ns)
        turns.count += 1
        if turns.gave_back_ns is not None:
            turns.away_ns += self.taken_ns - turns.gave_back_ns

    @done(Release)
    def given_back(self, who: Runner, op: Release, waited_ns: int) -> None:
        """A thread gives the lock back."""
        if op.lock is self.lock and self.taken_ns >= self.from_ns:
            self.use.drop(self.now() - self.taken_ns)
        if op.lock is self.lock and who in self.turns:
            self.turns[who].gave_back_ns = self.now()
