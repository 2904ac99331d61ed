"""Who waited how long for which lock, and how long it was held."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import TypeAlias

from hgeisim.machine.mutex import Mutex, RwSem
from hgeisim.machine.rwlock import RwLock
from hgeisim.machine.spinlock import RawSpinlock
from hgeisim.machine.task import Runner

Exclusive: TypeAlias = RawSpinlock | RwLock | Mutex | RwSem
Shareable: TypeAlias = RwLock | RwSem


@dataclass
class LockUse:
    """Counters of one lock, or of the locks of one class; times in ns."""

    acquisitions: int = 0
    contended: int = 0
    wait_ns_total: int = 0
    wait_ns_max: int = 0
    hold_ns_total: int = 0
    hold_ns_max: int = 0

    def take(self, wait_ns: int) -> None:
        """Count that it was taken, after a wait."""
        self.acquisitions += 1
        if wait_ns:
            self.contended += 1
            self.wait_ns_total += wait_ns
            self.wait_ns_max = max(self.wait_ns_max, wait_ns)

    def drop(self, hold_ns: int) -> None:
        """Count that it was dropped, having been held for so long."""
        self.hold_ns_total += hold_ns
        self.hold_ns_max = max(self.hold_ns_max, hold_ns)

    def add(self, other: LockUse) -> None:
        """Count what another one counted, too."""
        for name in NAMES:
            larger = max if name.endswith("_max") else int.__add__
            setattr(self, name, larger(getattr(self, name), getattr(other, name)))

    def row(self) -> tuple[int, ...]:
        """The counters in the order of `NAMES`."""
        return tuple(getattr(self, name) for name in NAMES)


NAMES = tuple(field.name for field in fields(LockUse))


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
