"""raw_spinlock_t and spinlock_t: the ticket lock that RISC-V Linux uses.

On PREEMPT_RT a spinlock_t sleeps instead of spinning (`sleeping`), and turns nothing off.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypeVar

from hgeisim.machine.hart import hold_off
from hgeisim.machine.ops import BOUNDARY, LEFT, RIGHT, AssertHeld, Op, Try
from hgeisim.machine.shared import Field, Memory, Shared, build
from hgeisim.machine.task import Runner

TICKET_MASK = 0xFFFF
"""Both counters are 16 bits wide and wrap (asm-generic/spinlock.h, v6.12)."""


class RawSpinlock(Shared):
    """A ticket lock: a taker draws `next` and may enter when `owner` has come to its ticket.

    Re-initialising it sets both counters to zero, whoever holds a ticket; what then goes wrong is
    what goes wrong on the hardware.  `inside` counts the contexts between lock and unlock, `drawn`
    those that wait as well: the lock does not know them, the checks do.  `lock_class` is the class
    that lock order is about, `lock_type` its type there, raw_spinlock or spinlock; `steady`
    promises that no path initialises it while others use it, `tried` that somebody asks for it by
    trylock.  The operations are attributes, made
    once.
    """

    next: Field
    owner: Field
    inside: Field
    drawn: Field
    name: str
    lock_class: str
    lock_type: str
    steady: bool
    sleeping: bool
    tried: bool
    trylock: Try
    trylock_irqsave: Try
    assert_held: AssertHeld
    lock: Acquire
    unlock: Release
    lock_irqsave: Acquire
    unlock_irqrestore: Release
    init: InitLock


L = TypeVar("L", bound=RawSpinlock)


def reset(lock: RawSpinlock) -> None:
    """Unlock it, with no regard to holders and waiters."""
    lock.next = lock.owner = 0


def raw_spinlock(
    memory: Memory | None, name: str, lock_class: str, steady: bool = True, sleeping: bool = False
) -> RawSpinlock:
    """Make an unlocked lock with its operations."""
    return equipped(build(RawSpinlock, memory, name), name, lock_class, steady, sleeping)


def equipped(lock: L, name: str, lock_class: str, steady: bool = True, sleeping: bool = False) -> L:
    """Give a lock its names and its operations."""
    lock.name, lock.lock_class, lock.steady, lock.sleeping = name, lock_class, steady, sleeping
    lock.lock_type = "raw_spinlock"
    lock.lock, lock.unlock = Acquire(lock, False), Release(lock, False)
    lock.lock_irqsave, lock.unlock_irqrestore = Acquire(lock, True), Release(lock, True)
    lock.trylock, lock.trylock_irqsave = Try(lock.lock), Try(lock.lock_irqsave)
    lock.init, lock.assert_held, lock.tried = InitLock(lock), AssertHeld(lock), False
    return lock


def spinlock(memory: Memory | None, name: str, lock_class: str, realtime: bool) -> RawSpinlock:
    """Make an unlocked spinlock_t, which sleeps on PREEMPT_RT."""
    lock = raw_spinlock(memory, name, lock_class, sleeping=realtime)
    lock.lock_type = "spinlock"
    return lock


@dataclass(frozen=True, slots=True)
class Acquire(Op):
    """raw_spin_lock or raw_spin_lock_irqsave: a CPU that spins with interrupts off is deaf."""

    cost: ClassVar[str] = "raw_spin_lock"
    waits: ClassVar[bool] = True
    lock: RawSpinlock
    irqsave: bool

    @property
    def voluntary(self) -> bool:
        """Where the lock sleeps."""
        return self.lock.sleeping

    def begin(self, who: Runner) -> None:
        """Turn interrupts, or at least preemption, off and draw a ticket."""
        if not self.lock.sleeping:
            hold_off(who.harts[who.cpu], self.irqsave, 1)
        lock = self.lock
        who.ticket = ticket = lock.next
        lock.next = (ticket + 1) & TICKET_MASK
        lock.drawn += 1

    def free(self, who: Runner) -> bool:
        """Nobody holds it or waits."""
        return self.lock.owner == self.lock.next

    def ready(self, who: Runner) -> bool:
        """It is our turn."""
        return self.lock.owner == who.ticket

    def end(self, who: Runner) -> None:
        """Be inside; the ticket no longer matters."""
        self.lock.inside += 1
        who.ticket = 0

    def mover(self, who: Runner) -> str:
        """Keeps others out."""
        return RIGHT if self.lock.steady and not self.lock.tried else BOUNDARY

    def __str__(self) -> str:
        return f"lock {self.lock}"


@dataclass(frozen=True, slots=True)
class Release(Op):
    """raw_spin_unlock or raw_spin_unlock_irqrestore: pending interrupts are taken after it."""

    cost: ClassVar[str] = "raw_spin_unlock"
    lock: RawSpinlock
    irqrestore: bool

    def end(self, who: Runner) -> None:
        """Let the next one in and turn interrupts on again."""
        lock = self.lock
        lock.owner = (lock.owner + 1) & TICKET_MASK
        lock.inside -= 1
        lock.drawn -= 1
        if lock.steady and lock.owner == lock.next:
            reset(lock)  # how often it was taken makes no difference to anybody
        if not self.lock.sleeping:
            hold_off(who.harts[who.cpu], self.irqrestore, -1)

    def mover(self, who: Runner) -> str:
        """Lets others in, unless an interrupt may come first and want the lock, too."""
        alone = self.lock.steady and not self.lock.tried and who.undisturbed()
        return LEFT if alone else BOUNDARY

    def __str__(self) -> str:
        return f"unlock {self.lock}"


@dataclass(frozen=True, slots=True)
class InitLock(Op):
    """raw_spin_lock_init."""

    lock: RawSpinlock

    def end(self, who: Runner) -> None:
        """Zero both counters, held or not."""
        reset(self.lock)

    def __str__(self) -> str:
        return f"init {self.lock}"
