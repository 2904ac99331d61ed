"""rwlock_t: the queued rwlock that RISC-V Linux uses (kernel/locking/qrwlock.c, v6.12), and the
one of PREEMPT_RT, which sleeps (kernel/locking/rwbase_rt.c).

A context that has to wait joins a queue; its head keeps the queue shut until it is inside:

* a reader in a task goes in immediately unless a writer holds the lock or waits at the head, else
  it queues.  At the head it is counted and waits for a writer that holds the lock;
* a reader in a hardirq never queues: it is counted and waits for a writer that holds the lock only;
* a writer goes in immediately when nobody is counted, holds or waits at the head, else it queues.
  At the head it says that a writer waits and goes in when the last reader has gone.

So a task that reads twice hangs when a writer has come to the head in between, a hardirq does not.
On PREEMPT_RT no reader waits for a writer that waits itself: only one that is inside keeps it out.
Getting in is a step of the wait and not its end, since a lock that is free may be taken by someone
who did not queue.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hgeisim.machine.hart import hold_off
from hgeisim.machine.ops import BOUNDARY, LEFT, RIGHT, AssertHeld, Op, Try
from hgeisim.machine.shared import Field, Memory, Shared, build
from hgeisim.machine.spinlock import TICKET_MASK
from hgeisim.machine.task import Runner

IN, QUEUED, HEAD, BYPASS = range(4)
"""`Runner.phase` of a wait: over, in the queue, at its head, in a hardirq that does not queue."""


class RwLock(Shared):
    """A queued rwlock; its operations are attributes, made once, named as in the kernel.

    `readers` counts the readers that are inside, at the head, or wait in a hardirq; `writer` is 1
    while a writer holds it, `waiting` while one waits at the head.  `next` and `owner` are the
    tickets of the queue (the wait_lock of the C struct).  `readers_inside` and `writers_inside`
    count the contexts between lock and unlock: the lock does not read them, checks may.
    `lock_class` is the class that lock order is about.  `sleeping`: on PREEMPT_RT it sleeps instead
    of spinning, and turns nothing off; the queue is then that of the rt_mutex in it.
    """

    readers: Field
    writer: Field
    waiting: Field
    next: Field
    owner: Field
    readers_inside: Field
    writers_inside: Field
    name: str
    lock_class: str
    sleeping: bool
    tried: bool
    read_trylock: Try
    write_trylock: Try
    write_trylock_irqsave: Try
    assert_held: AssertHeld
    read_lock: ReadLock
    read_unlock: ReadUnlock
    read_lock_irqsave: ReadLock
    read_unlock_irqrestore: ReadUnlock
    write_lock: WriteLock
    write_unlock: WriteUnlock
    write_lock_irqsave: WriteLock
    write_unlock_irqrestore: WriteUnlock

    def queue(self, who: Runner) -> None:
        """Draw the next ticket of the queue."""
        who.ticket, who.phase = self.next, QUEUED
        self.next = (who.ticket + 1) & TICKET_MASK

    def dequeue(self) -> None:
        """Let the next one come to the head."""
        self.owner = (self.owner + 1) & TICKET_MASK
        if self.owner == self.next:
            self.owner = self.next = 0  # how often it was taken makes no difference to anybody


def rwlock(memory: Memory | None, name: str, lock_class: str, sleeping: bool = False) -> RwLock:
    """Make an unlocked lock with its operations."""
    lock = build(RwLock, memory, name)
    lock.name, lock.lock_class, lock.sleeping = name, lock_class, sleeping
    lock.read_lock, lock.read_unlock = ReadLock(lock, False), ReadUnlock(lock, False)
    lock.write_lock, lock.write_unlock = WriteLock(lock, False), WriteUnlock(lock, False)
    lock.read_lock_irqsave = ReadLock(lock, True)
    lock.read_unlock_irqrestore = ReadUnlock(lock, True)
    lock.write_lock_irqsave = WriteLock(lock, True)
    lock.write_unlock_irqrestore = WriteUnlock(lock, True)
    lock.read_trylock, lock.write_trylock = Try(lock.read_lock), Try(lock.write_lock)
    lock.write_trylock_irqsave = Try(lock.write_lock_irqsave)
    lock.assert_held, lock.tried = AssertHeld(lock), False
    return lock


@dataclass(frozen=True, slots=True)
class _Lock(Op):
    """Taking a lock; a spinlock's time is charged, for want of a better one."""

    cost: ClassVar[str] = "raw_spin_lock"
    waits: ClassVar[bool] = True
    lock: RwLock
    irqsave: bool

    @property
    def voluntary(self) -> bool:
        """Where the lock sleeps."""
        return self.lock.sleeping

    def keep_out(self, who: Runner) -> None:
        """Keep interrupts, or at least preemption, off."""
        if not self.lock.sleeping:
            hold_off(who.harts[who.cpu], self.irqsave, 1)

    def mover(self, who: Runner) -> str:
        """Keeps others out."""
        return BOUNDARY if self.lock.tried else RIGHT

    def ready(self, who: Runner) -> bool:
        """It got in."""
        return who.phase == IN


@dataclass(frozen=True, slots=True)
class ReadLock(_Lock):
    """read_lock or read_lock_irqsave; of a hardirq when its context is one (id 0)."""

    def free(self, who: Runner) -> bool:
        """No writer holds it, and none waits at the head."""
        return not (self.lock.writer or self.lock.waiting)

    def begin(self, who: Runner) -> None:
        """Go in if no writer holds or waits, on PREEMPT_RT if none holds; a hardirq is counted at
        once, others queue."""
        self.keep_out(who)
        lock = self.lock
        if who.id and (lock.writer or (lock.waiting and not lock.sleeping)):
            lock.queue(who)
        else:
            lock.readers += 1
            if lock.writer:
                who.phase = BYPASS

    def can_go_on(self, who: Runner) -> bool:
        """It comes to the head, or no writer holds the lock."""
        if who.phase == QUEUED:
            return self.lock.owner == who.ticket
        return who.phase == IN or not self.lock.writer

    def proceed(self, who: Runner) -> bool:
        """Be counted at the head; go in when no writer holds the lock."""
        if not self.can_go_on(who):
            return False
        lock = self.lock
        if who.phase == QUEUED:
            lock.readers += 1
            who.phase, who.ticket = HEAD, 0
        if not lock.writer:
            if who.phase == HEAD:
                lock.dequeue()
            who.phase = IN
        return True

    def end(self, who: Runner) -> None:
        """Be inside."""
        self.lock.readers_inside += 1

    def __str__(self) -> str:
        return f"read_lock {self.lock}"


@dataclass(frozen=True, slots=True)
class WriteLock(_Lock):
    """write_lock or write_lock_irqsave."""

    def free(self, who: Runner) -> bool:
        """Nobody is inside, and nobody waits at the head."""
        return not (self.lock.readers or self.lock.writer or self.lock.waiting)

    def begin(self, who: Runner) -> None:
        """Go in if nobody is there, else queue, in a hardirq too."""
        self.keep_out(who)
        lock = self.lock
        if lock.readers or lock.writer or lock.waiting:
            lock.queue(who)
        else:
            lock.writer = 1

    def can_go_on(self, who: Runner) -> bool:
        """It comes to the head, or nobody holds the lock any more."""
        lock = self.lock
        if who.phase == QUEUED:
            return lock.owner == who.ticket
        return who.phase == IN or not (lock.readers or lock.writer)

    def proceed(self, who: Runner) -> bool:
        """Go in when nobody holds the lock, else say at the head that a writer waits."""
        if not self.can_go_on(who):
            return False
        lock = self.lock
        who.ticket = 0
        if lock.readers or lock.writer:
            lock.waiting, who.phase = 1, HEAD
        else:
            lock.waiting, lock.writer, who.phase = 0, 1, IN
            lock.dequeue()
        return True

    def end(self, who: Runner) -> None:
        """Be inside."""
        self.lock.writers_inside += 1

    def __str__(self) -> str:
        return f"write_lock {self.lock}"


@dataclass(frozen=True, slots=True)
class _Unlock(Op):
    """Dropping a lock."""

    cost: ClassVar[str] = "raw_spin_unlock"
    lock: RwLock
    irqrestore: bool

    def let_in(self, who: Runner) -> None:
        """Let interrupts and preemption in again; pending interrupts are taken after it."""
        if not self.lock.sleeping:
            hold_off(who.harts[who.cpu], self.irqrestore, -1)

    def mover(self, who: Runner) -> str:
        """Lets others in, unless an interrupt may come first and want the lock, too."""
        return LEFT if who.undisturbed() and not self.lock.tried else BOUNDARY


@dataclass(frozen=True, slots=True)
class ReadUnlock(_Unlock):
    """read_unlock or read_unlock_irqrestore."""

    def end(self, who: Runner) -> None:
        """Be counted no longer."""
        self.lock.readers -= 1
        self.lock.readers_inside -= 1
        self.let_in(who)

    def __str__(self) -> str:
        return f"read_unlock {self.lock}"


@dataclass(frozen=True, slots=True)
class WriteUnlock(_Unlock):
    """write_unlock or write_unlock_irqrestore."""

    def end(self, who: Runner) -> None:
        """Hold it no longer."""
        self.lock.writer = 0
        self.lock.writers_inside -= 1
        self.let_in(who)

    def __str__(self) -> str:
        return f"write_unlock {self.lock}"
