"""The kernel's configuration, as far as lock rules depend on it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Config:
    """`raw_nesting`: PROVE_RAW_LOCK_NESTING, a spinlock_t inside a raw_spinlock_t is wrong.
    `preempt_rt`: spinlock_t, rwlock_t and local_lock_t sleep, and a read_lock never waits for a
    writer that waits itself (kernel/locking/rwbase_rt.c).
    `queued_rwlocks`: elsewhere, one outside interrupts does (kernel/locking/qrwlock.c).
    """

    raw_nesting: bool = True
    preempt_rt: bool = False
    queued_rwlocks: bool = True

    @property
    def fair_rwlocks(self) -> bool:
        """Whether a read_lock outside interrupts waits for a writer that waits itself."""
        return self.queued_rwlocks and not self.preempt_rt
