"""raw_spinlock_t: the ticket lock that RISC-V Linux uses."""

from __future__ import annotations

from hgeisim.machine.ops import Acquire, InitLock, Release
from hgeisim.machine.shared import Field, Memory, Shared, build

TICKET_MASK = 0xFFFF
"""Both counters are 16 bits wide and wrap (asm-generic/spinlock.h, v6.12)."""


class RawSpinlock(Shared):
    """A ticket lock: a taker draws `next` and may enter when `owner` has come to its ticket.

    Re-initialising it sets both counters to zero, whoever holds a ticket; what then goes wrong is
    what goes wrong on the hardware.  `inside` counts the contexts between lock and unlock, `drawn`
    those that wait as well: the lock does not know them, the checks do.  The operations are
    attributes, made once.
    """

    next: Field
    owner: Field
    inside: Field
    drawn: Field
    name: str
    lock: Acquire
    unlock: Release
    lock_irqsave: Acquire
    unlock_irqrestore: Release
    init: InitLock

    def draw(self) -> int:
        """Take the next ticket."""
        ticket = self.next
        self.next = (ticket + 1) & TICKET_MASK
        self.drawn += 1
        return ticket

    def enter(self) -> None:
        """Note that the holder of the current ticket is inside now."""
        self.inside += 1

    def leave(self) -> None:
        """Let the next ticket in."""
        self.owner = (self.owner + 1) & TICKET_MASK
        self.inside -= 1
        self.drawn -= 1

    def reset(self) -> None:
        """raw_spin_lock_init: unlocked, with no regard to holders and waiters."""
        self.next = self.owner = 0


def raw_spinlock(memory: Memory | None, name: str) -> RawSpinlock:
    """Make an unlocked lock with its operations."""
    lock = build(RawSpinlock, memory, name)
    lock.name = name
    lock.lock, lock.unlock = Acquire(lock, False), Release(lock, False)
    lock.lock_irqsave, lock.unlock_irqrestore = Acquire(lock, True), Release(lock, True)
    lock.init = InitLock(lock)
    return lock
