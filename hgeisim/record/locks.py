"""Who waited how long for which lock, and how long it was held."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hgeisim.machine.spinlock import RawSpinlock

HEAD = "lock,acquisitions,contended,wait_ns_total,wait_ns_max,hold_ns_total,hold_ns_max"


@dataclass
class LockUse:
    """Counters of one lock; times in ns."""

    acquisitions: int = 0
    contended: int = 0
    wait_ns_total: int = 0
    wait_ns_max: int = 0
    hold_ns_total: int = 0
    hold_ns_max: int = 0

    def row(self) -> tuple[int, ...]:
        """The counters in the order of `HEAD`."""
        return (
            self.acquisitions,
            self.contended,
            self.wait_ns_total,
            self.wait_ns_max,
            self.hold_ns_total,
            self.hold_ns_max,
        )


class LockTable:
    """The use of each HGEI lock by itself, and of all other locks by class."""

    def __init__(self, locks: Iterable[RawSpinlock]) -> None:
        self.rows: dict[str, LockUse] = {}
        self.uses: dict[RawSpinlock, LockUse] = {lock: self._row(lock.name) for lock in locks}
        self.taken_ns: dict[RawSpinlock, int] = {}

    def acquired(self, lock: RawSpinlock, now_ns: int, wait_ns: int) -> None:
        """Note that a lock was taken now, after a wait."""
        use = self.uses.get(lock)
        if use is None:
            use = self.uses[lock] = self._row(lock.lock_class)
        use.acquisitions += 1
        self.taken_ns[lock] = now_ns
        if wait_ns:
            use.contended += 1
            use.wait_ns_total += wait_ns
            use.wait_ns_max = max(use.wait_ns_max, wait_ns)

    def released(self, lock: RawSpinlock, now_ns: int) -> None:
        """Note that a lock was dropped now."""
        use = self.uses[lock]
        hold_ns = now_ns - self.taken_ns[lock]
        use.hold_ns_total += hold_ns
        use.hold_ns_max = max(use.hold_ns_max, hold_ns)

    def csv(self) -> str:
        """The table as text, a line for each lock or class."""
        rows = (f"{name},{','.join(map(str, use.row()))}" for name, use in self.rows.items())
        return "\n".join((HEAD, *rows)) + "\n"

    def _row(self, name: str) -> LockUse:
        return self.rows.setdefault(name, LockUse())
