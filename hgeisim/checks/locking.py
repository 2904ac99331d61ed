"""Misuse of a lock that shows on the lock itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hgeisim.checks.check import OperationCheck, StateCheck
from hgeisim.checks.finding import Finding, Moment
from hgeisim.kernel.interrupts import DEVICE_HANDLERS
from hgeisim.kernel.module import Module
from hgeisim.kernel.structs import HgeiControl
from hgeisim.machine.ipi import Ipi
from hgeisim.machine.rwlock import ReadLock, WriteLock
from hgeisim.machine.shared import addresses
from hgeisim.machine.spinlock import Acquire, InitLock
from hgeisim.machine.task import Runner


class LockInitHeld(OperationCheck):
    """A lock is not initialised while somebody is inside or waits."""

    about = (InitLock,)

    def wrong(self, k: Module, moment: Moment) -> Iterator[Finding]:
        """Look at each raw_spin_lock_init."""
        if isinstance(moment.op, InitLock) and moment.op.lock.drawn:
            text = f"{moment.who.name} initialises {moment.op.lock} while it is held"
            yield Finding("lock-init-held", "hgctrl->lock", text)


def _deaf(who: Runner) -> bool:
    """Whether interrupts are off for a context that completes something: always for a hardirq.  A
    task has its HART to itself then, so one that is about to be taken there does not count."""
    return not who.id or who.hart.irq_off > 0


class IpiWaits(OperationCheck):
    """Whoever waits for other HARTs to handle an IPI has interrupts on, and is a task
    (lockdep_assert_irqs_enabled in smp_call_function_many_cond, v6.12)."""

    about = (Ipi,)

    def wrong(self, k: Module, moment: Moment) -> Iterator[Finding]:
        """Look at each IPI that is waited for."""
        if isinstance(moment.op, Ipi) and _deaf(moment.who):
            text = f"{moment.who.name} waits for {moment.op} with interrupts off"
            yield Finding("ipi-wait-atomic", moment.op.handler.__name__, text)


class SleepingLock(OperationCheck):
    """On PREEMPT_RT a spinlock_t or rwlock_t is not taken where one must not sleep.

    The handler of a device is a thread there.
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


class OneInside(StateCheck[HgeiControl]):
    """A lock lets one context in at a time."""

    def watches(self, k: Module) -> Iterator[int]:
        """All HGEI locks."""
        for hgctrl in k.hgei:
            yield from addresses(hgctrl.lock, "inside")

    def subjects(self, k: Module) -> Iterable[HgeiControl]:
        """All CPUs."""
        return k.hgei

    def wrong(self, k: Module, hgctrl: HgeiControl) -> Iterator[Finding]:
        """Report a lock with two contexts inside."""
        if hgctrl.lock.inside > 1:
            text = f"{hgctrl.lock} has {hgctrl.lock.inside} contexts inside"
            yield Finding("broken-lock", "hgctrl->lock", text)
