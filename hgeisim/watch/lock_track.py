"""A model's contexts and locks, in the terms of the lock-order validator.

A `Track` follows the position of a context; `lock_in` and `lock_type` find the lock of an operation
and the validator's type of it.
"""

from __future__ import annotations

from typing import Any

from hgeisim.lockorder.graph.usage import IRQS_ON
from hgeisim.lockorder.rules.context import Context, Step
from hgeisim.machine.mutex import DownRead, Mutex, RwSem, UpRead
from hgeisim.machine.rwlock import ReadLock, ReadUnlock, RwLock
from hgeisim.machine.spinlock import RawSpinlock
from hgeisim.machine.srcu import Srcu, SrcuReadLock, SrcuReadUnlock

READING = frozenset((ReadLock, DownRead, SrcuReadLock, ReadUnlock, UpRead, SrcuReadUnlock))
"""Operations of readers."""
TYPES: dict[type, str] = {RwLock: "rwlock", Mutex: "mutex", RwSem: "rwsem", Srcu: "srcu"}


class Track:
    """A context with its `position`, which the validator does not know until it is shown.

    `steps` are the validator's steps of operations, shared by all contexts with the same state.
    `in_thread` is true for a device's handler on PREEMPT_RT: a task whose state no HART has.
    """

    __slots__ = ("context", "in_thread", "position", "steps")

    def __init__(self, context: Context, steps: dict[int, Step], in_thread: bool = False) -> None:
        self.context, self.steps, self.in_thread = context, steps, in_thread
        self.position = context.chain

    def masked(self) -> int:
        """The state of a handler in a thread, which follows from its locks: 1 for interrupts
        off."""
        position = self.position
        return int(not position.is_empty and not position.step.state & IRQS_ON)


def lock_in(op: Any) -> Any:
    """The lock that an operation is about."""
    return op.srcu if type(op) in (SrcuReadLock, SrcuReadUnlock) else op.lock


def lock_type(lock: Any) -> str:
    """The validator's name for the type of a lock of the machine."""
    if isinstance(lock, RawSpinlock):
        return lock.lock_type
    return TYPES[next(cls for cls in TYPES if isinstance(lock, cls))]
