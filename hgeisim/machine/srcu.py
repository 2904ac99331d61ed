"""srcu_struct: read sections that may sleep, and a wait for those that are there
(kernel/rcu/srcutree.c, v6.12).

Readers are counted under one of two indexes.  A grace period turns the index over, so that new
readers count under the other one, and ends when the old one is down to nobody.  Whoever waits
needs a grace period that begins after it asked; those who ask meanwhile wait for the same next one.

Simplified: a reader finds the index and counts itself in one step.  The kernel takes two, so a
reader can count itself under an index that was turned over in between, and a grace period has to
wait for both indexes in turn; here nobody can be late, and the first of the two waits would always
be over immediately.  Grace periods are driven by those who wait, not by a kworker.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hgeisim.errors import ModelError
from hgeisim.machine.ops import LEFT, Op, Sleep
from hgeisim.machine.shared import Array, Field, Memory, Shared, build
from hgeisim.machine.task import Runner

SEQUENCE_MASK = 0xF
"""Grace periods are numbered modulo 16: one may be late by 13 of them to notice the end of its
own, and then waits for one more."""


class Srcu(Shared):
    """An srcu_struct; its operations are attributes, made once, named as in the kernel.

    `begun` and `completed` number grace periods, one runs while they differ; bit 0 of `begun` is
    the index of new readers and `readers[index]` counts them.  The index of a section is kept by
    its context until the section ends, in `Runner.srcu`, so a path need not carry it: sections of
    one context end in the reverse order of their beginning.  `lock_class` is the class that lock
    order is about.
    """

    begun: Field
    completed: Field
    readers: Array
    name: str
    lock_class: str
    srcu_read_lock: SrcuReadLock
    srcu_read_unlock: SrcuReadUnlock
    synchronize_srcu: SynchronizeSrcu

    def drained(self) -> bool:
        """Whether nobody is left of those whom the running grace period waits for."""
        return self.readers[1 - (self.begun & 1)] == 0


def srcu(memory: Memory | None, name: str, lock_class: str = "kvm->srcu") -> Srcu:
    """Make an srcu_struct without readers, with its operations."""
    made = build(Srcu, memory, name, readers=2)
    made.name, made.lock_class = name, lock_class
    made.srcu_read_lock, made.srcu_read_unlock = SrcuReadLock(made), SrcuReadUnlock(made)
    made.synchronize_srcu = SynchronizeSrcu(made)
    return made


@dataclass(frozen=True, slots=True)
class SrcuReadLock(Op):
    """srcu_read_lock: never waits."""

    srcu: Srcu

    def end(self, who: Runner) -> None:
        """Count under the index of the day and remember it: a digit 1 or 2, to the base of 3."""
        index = self.srcu.begun & 1
        self.srcu.readers[index] += 1
        who.srcu = who.srcu * 3 + index + 1

    def __str__(self) -> str:
        return f"srcu_read_lock {self.srcu}"


@dataclass(frozen=True, slots=True)
class SrcuReadUnlock(Op):
    """srcu_read_unlock of the section that was begun last."""

    srcu: Srcu

    def end(self, who: Runner) -> None:
        """Count no longer, under the index under which it was counted."""
        if not who.srcu:
            raise ModelError(f"{who} is in no section of {self.srcu}")
        who.srcu, digit = divmod(who.srcu, 3)
        self.srcu.readers[digit - 1] -= 1

    def mover(self, who: Runner) -> str:
        """Lets those go on who wait for readers."""
        return LEFT

    def __str__(self) -> str:
        return f"srcu_read_unlock {self.srcu}"


@dataclass(frozen=True, slots=True)
class SynchronizeSrcu(Sleep):
    """synchronize_srcu: sleeps until every section that began before it has ended."""

    waits: ClassVar[bool] = True
    srcu: Srcu

    def begin(self, who: Runner) -> None:
        """Ask for the next grace period that will begin; without readers it is over immediately."""
        srcu = self.srcu
        idle = srcu.begun == srcu.completed and not (srcu.readers[0] or srcu.readers[1])
        who.ticket = srcu.completed if idle else (srcu.begun + 1) & SEQUENCE_MASK

    def ready(self, who: Runner) -> bool:
        """That one is completed; when it was asked for, one or two were still to come."""
        return (self.srcu.completed - who.ticket) & SEQUENCE_MASK < SEQUENCE_MASK - 1

    def can_go_on(self, who: Runner) -> bool:
        """No grace period waits for a reader."""
        return self.srcu.begun == self.srcu.completed or self.srcu.drained() or self.ready(who)

    def proceed(self, who: Runner) -> bool:
        """Begin a grace period if none runs, else complete it if it may."""
        srcu = self.srcu
        if srcu.begun == srcu.completed:
            srcu.begun = (srcu.begun + 1) & SEQUENCE_MASK
            return True
        if not srcu.drained():
            return False
        srcu.completed = srcu.begun
        return True

    def end(self, who: Runner) -> None:
        """The number no longer matters."""
        who.ticket = 0

    def __str__(self) -> str:
        return f"synchronize_srcu {self.srcu}"
