"""Misuse of a lock: faults of the lock itself, assertions of code (lockdep_assert_held and
WARN_ON), and guarded fields that are accessed without their lock.

The lockset of each guarded field is checked as Eraser does it: the lock is held at every access.
Savage et al., "Eraser: a dynamic data race detector for multithreaded programs", TOCS 15, 1997;
but which lock it has to be is written down (`kernel/annotations.py`), and not learned.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hgeisim.checks.access import Access
from hgeisim.checks.check import OfCpus, OperationCheck
from hgeisim.checks.finding import Finding, Moment
from hgeisim.kernel.annotations import Guard, is_reachable
from hgeisim.kernel.interrupts import DEVICE_HANDLERS
from hgeisim.kernel.main import Module
from hgeisim.kernel.structs import HgeiControl
from hgeisim.machine.ipi import Ipi
from hgeisim.machine.mutex import Mutex, RwSem
from hgeisim.machine.ops import AssertHeld, WarnOn
from hgeisim.machine.rwlock import ReadLock, RwLock, WriteLock
from hgeisim.machine.shared import Shared, addresses
from hgeisim.machine.spinlock import Acquire, InitLock
from hgeisim.machine.task import Runner


class LockInitHeld(OperationCheck):
    """A lock is not initialised while a context is inside or waits.

    Source: debug_check_no_locks_freed in __raw_spin_lock_init (kernel/locking/spinlock_debug.c).
    """

    about = (InitLock,)

    def wrong(self, k: Module, moment: Moment) -> Iterator[Finding]:
        """Look at each raw_spin_lock_init."""
        if isinstance(moment.op, InitLock) and moment.op.lock.drawn:
            text = f"{moment.who.name} initialises {moment.op.lock} while it is held"
            yield Finding("lock-init-held", "hgctrl->lock", text)


def _deaf(who: Runner) -> bool:
    """Whether interrupts are off for a context that completes an operation: always for a hardirq.
    A task has its HART to itself then, so an interrupt about to be taken there does not count."""
    return not who.id or who.hart.irq_off > 0


class IpiWaits(OperationCheck):
    """A context that waits for other HARTs to handle an IPI is a task with interrupts on.

    Source: lockdep_assert_irqs_enabled in smp_call_function_many_cond (kernel/smp.c, v6.12).
    """

    about = (Ipi,)

    def wrong(self, k: Module, moment: Moment) -> Iterator[Finding]:
        """Look at each IPI that is waited for."""
        if isinstance(moment.op, Ipi) and _deaf(moment.who):
            text = f"{moment.who.name} waits for {moment.op} with interrupts off"
            yield Finding("ipi-wait-atomic", moment.op.name, text)


class SleepingLock(OperationCheck):
    """On PREEMPT_RT, a spinlock_t or rwlock_t is not taken where sleeping is forbidden.

    The handler of a device is a thread there.
    Source: Documentation/locking/locktypes.rst; rtlock_might_resched in rt_spin_lock.
    """

    about = (Acquire, ReadLock, WriteLock)

    def applies(self, k: Module) -> bool:
        """None of them sleeps elsewhere."""
        return k.realtime

    def wrong(self, k: Module, moment: Moment) -> Iterator[Finding]:
        """Look at each lock that sleeps."""
        in_thread = not moment.who.id and moment.entry in DEVICE_HANDLERS
        if in_thread or not isinstance(moment.op, Acquire | ReadLock | WriteLock):
            return
        if moment.op.lock.sleeping and (moment.who.hart.preempt_count or _deaf(moment.who)):
            text = f"{moment.who.name} takes {moment.op.lock}, which sleeps, while atomic"
            yield Finding("sleep-in-atomic", moment.op.lock.lock_class, text)


class OneInside(OfCpus):
    """A lock lets in one context at a time.

    Source: mutual exclusion, the contract of a raw_spinlock_t.
    """

    def watches(self, k: Module) -> Iterator[int]:
        """All HGEI locks."""
        for hgctrl in k.hgei:
            yield from addresses(hgctrl.lock, "inside")

    def wrong(self, k: Module, hgctrl: HgeiControl) -> Iterator[Finding]:
        """Report a lock with two contexts inside."""
        if hgctrl.lock.inside > 1:
            text = f"{hgctrl.lock} has {hgctrl.lock.inside} contexts inside"
            yield Finding("broken-lock", "hgctrl->lock", text)


class LockHeld(OperationCheck):
    """A lock is held where the code says so.

    A spinning lock does not know its holder: this check finds one that no context holds, and lock
    order finds one that another context holds.
    Source: lockdep_assert_held (include/linux/lockdep.h).
    """

    about = (AssertHeld,)

    def wrong(self, k: Module, moment: Moment) -> Iterator[Finding]:
        """Look at each lockdep_assert_held."""
        if isinstance(moment.op, AssertHeld) and not _may_hold(moment.who, moment.op.lock):
            yield self.finding(moment.who.name, moment.op.lock)

    @staticmethod
    def finding(name: str, lock: Any) -> Finding:
        """The finding about a context that asserts a lock without holding it."""
        return Finding("lock-not-held", lock.lock_class, f"{name} does not hold {lock}")


class NoWarning(OperationCheck):
    """The condition of a WARN_ON is false.

    Source: WARN_ON (include/asm-generic/bug.h), written by the author of the path.
    """

    about = (WarnOn,)

    def wrong(self, k: Module, moment: Moment) -> Iterator[Finding]:
        """Look at each WARN_ON."""
        if isinstance(moment.op, WarnOn) and moment.op.condition:
            text = f"{moment.who.name} comes to a WARN_ON in {moment.function}"
            yield Finding("warn-on", moment.function, text)


def _may_hold(who: Runner, lock: Any) -> bool:
    match lock:
        case Mutex():
            return lock.owner == who.id
        case RwSem():
            return lock.writer == who.id or lock.readers > 0
        case RwLock():
            return lock.readers_inside + lock.writers_inside > 0
    return bool(lock.inside)


class UnderItsLock(OperationCheck):
    """Guarded fields are accessed with their lock held.

    A section under a lock is often one step, so a patch that leaves the lock out reaches the same
    states.  Needs tracked memory; in time, a user's patch, whose paths are followed.
    Source: the guards in kernel/annotations.py; the lockset algorithm of Eraser (above).
    """

    def wrong(self, k: Module, moment: Moment) -> Iterator[Finding]:
        """Look at each access that the step has made to a guarded field."""
        bad = (access for access in moment.accesses if not _may(k, access, moment.held))
        yield from dict.fromkeys(self._finding(moment, access) for access in bad)

    @staticmethod
    def _finding(moment: Moment, access: Access) -> Finding:
        """The finding about an access, with the context and its locks."""
        lock = access.guard.lock_of(access.struct)
        does = "writes" if access.written else "reads"
        held = " and ".join(moment.held).replace(lock.name, f"{lock.name} for reading only")
        text = f"{moment.who.name} {does} {access.field} of {_name(access.struct)} in "
        text = f"{text}{access.function} and has taken {held or 'no lock'}; every other "
        text = f"{text}{'write' if access.written else 'read'} is made under {lock}"
        return Finding("unlocked", f"{access.guard.data} in {access.function}", text)


def _may(k: Module, access: Access, held: tuple[str, ...]) -> bool:
    """Whether an access may be made with these locks held."""
    if access.function in access.guard.without:
        return True
    if holds(k, access.guard, access.struct, access.written, held):
        return True
    atomic = access.marked and (access.guard.words or not access.written)
    return atomic or not is_reachable(k, access.struct)


def holds(k: Module, guard: Guard, struct: Shared, written: bool, held: tuple[str, ...]) -> bool:
    """Whether the lock that guards a field of a struct is among those that are held, as it has to
    be for a read or a write."""
    if guard.written and not written:
        return True
    lock = guard.lock_of(struct)
    if lock is None:  # the VM was forgotten long after its end; only checks still look at it
        return True
    return lock.name in held and (not written or _is_exclusive(k, lock))


def _is_exclusive(k: Module, lock: Shared) -> bool:
    """Whether a lock that is held keeps everybody else out.  That cannot change meanwhile, so the
    look does not count as an access of the path."""
    if not isinstance(lock, RwLock):
        return True
    if k.memory is None:
        return lock.writers_inside > 0
    return bool(k.memory.aside(lambda: lock.writers_inside))


def _name(struct: Shared) -> str:
    """The name of a struct in a report."""
    return f"HART {struct.cpu}" if isinstance(struct, HgeiControl) else str(struct)
