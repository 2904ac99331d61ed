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
    taken_ns: int = 0

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
    """The use of each lock of a kernel, in the order given."""

    def __init__(self, locks: Iterable[RawSpinlock]) -> None:
        self.uses = {lock: LockUse() for lock in locks}

    def acquired(self, lock: RawSpinlock, now_ns: int, wait_ns: int) -> None:
        """Note that a lock was taken now, after a wait."""
        use = self.uses[lock]
        use.acquisitions += 1
        use.taken_ns = now_ns
        if wait_ns:
            use.contended += 1
            use.wait_ns_total += wait_ns
            use.wait_ns_max = max(use.wait_ns_max, wait_ns)

    def released(self, lock: RawSpinlock, now_ns: int) -> None:
        """Note that a lock was dropped now."""
        use = self.uses[lock]
        hold_ns = now_ns - use.taken_ns
        use.hold_ns_total += hold_ns
        use.hold_ns_max = max(use.hold_ns_max, hold_ns)

    def csv(self) -> str:
        """The table as text, a line for each lock."""
        rows = (f"{lock.name},{','.join(map(str, use.row()))}" for lock, use in self.uses.items())
        return "\n".join((HEAD, *rows)) + "\n"
