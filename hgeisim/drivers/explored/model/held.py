"""The steady locks that a context holds, as far as they protect what it touches."""

from __future__ import annotations

from typing import TypeAlias

from hgeisim.machine.ops import Op
from hgeisim.machine.rwlock import ReadLock, ReadUnlock, WriteLock, WriteUnlock
from hgeisim.machine.spinlock import Acquire, Release

Held: TypeAlias = tuple[tuple[str, bool], ...]
"""The locks that a context holds: their names, and whether it may write under them."""


def held_after(held: Held, op: Op) -> Held:
    """What is held after an operation is complete; a lock that some path initialises again
    protects nothing."""
    match op:
        case Acquire(lock, _):
            return (*held, (lock.name, True)) if lock.steady else held
        case ReadLock(lock, _):
            return (*held, (lock.name, False))
        case WriteLock(lock, _):
            return (*held, (lock.name, True))
        case Release(lock, _) | ReadUnlock(lock, _) | WriteUnlock(lock, _):
            return tuple(entry for entry in held if entry[0] != lock.name)
    return held
