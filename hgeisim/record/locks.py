"""Who waited how long for which lock, and how long it was held."""

from __future__ import annotations

from dataclasses import dataclass, field

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


@dataclass
class LockTable:
    """The use of each lock, by name, in the order of first use."""

    uses: dict[str, LockUse] = field(default_factory=dict)

    def acquired(self, lock: str, now_ns: int, wait_ns: int) -> None:
        """Note that a lock was taken now, after a wait."""
        use = self.uses.setdefault(lock, LockUse())
        use.acquisitions += 1
        use.contended += wait_ns > 0
        use.wait_ns_total += wait_ns
        use.wait_ns_max = max(use.wait_ns_max, wait_ns)
        use.taken_ns = now_ns

    def released(self, lock: str, now_ns: int) -> None:
        """Note that a lock was dropped now."""
        use = self.uses[lock]
        hold_ns = now_ns - use.taken_ns
        use.hold_ns_total += hold_ns
        use.hold_ns_max = max(use.hold_ns_max, hold_ns)

    def csv(self) -> str:
        """The table as text, sorted by lock."""
        rows = (f"{name},{','.join(map(str, use.row()))}" for name, use in sorted(self.uses.items()))
        return "\n".join((HEAD, *rows)) + "\n"
