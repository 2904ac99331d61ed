"""struct mutex: a lock whose waiters sleep."""

from __future__ import annotations

from hgeisim.machine.ops import MutexLock, MutexUnlock
from hgeisim.machine.shared import Field, Memory, Shared, build


class Mutex(Shared):
    """A mutex; `owner` is the id of the task that holds it, 0 for none."""

    owner: Field
    name: str
    lock: MutexLock
    unlock: MutexUnlock


def mutex(memory: Memory | None, name: str) -> Mutex:
    """Make an unlocked mutex with its operations."""
    made = build(Mutex, memory, name)
    made.name = name
    made.lock, made.unlock = MutexLock(made), MutexUnlock(made)
    return made
