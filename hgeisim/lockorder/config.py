"""The kernel's configuration, as far as lock rules depend on it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Config:
    """`raw_nesting`: PROVE_RAW_LOCK_NESTING, a spinlock_t inside a raw_spinlock_t is wrong.
    `preempt_rt`: spinlock_t, rwlock_t and local_lock_t sleep.
    `queued_rwlocks`: a read_lock outside interrupts waits behind a writer that waits.
    """

    raw_nesting: bool = True
    preempt_rt: bool = False
    queued_rwlocks: bool = True
