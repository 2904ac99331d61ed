"""What code says about itself does hold: lockdep_assert_held, WARN_ON, and a user's own check."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hgeisim.checks.check import OperationCheck
from hgeisim.checks.finding import Finding, Moment
from hgeisim.kernel.module import Module
from hgeisim.machine.assertions import AssertHeld, WarnOn
from hgeisim.machine.mutex import Mutex, RwSem
from hgeisim.machine.rwlock import RwLock
from hgeisim.machine.task import Runner


class LockHeld(OperationCheck):
    """A lock is held where the code says so.

    A spinning lock does not know who holds it; here one that nobody holds is found, and one that
    another context holds by lock order.
    """

    about = (AssertHeld,)

    def wrong(self, k: Module, moment: Moment) -> Iterator[Finding]:
        """Look at each lockdep_assert_held."""
        if isinstance(moment.op, AssertHeld) and not _may_hold(moment.who, moment.op.lock):
            yield self.finding(moment.who.name, moment.op.lock)

    @staticmethod
    def finding(name: str, lock: Any) -> Finding:
        """A context asserts a lock that it does not hold."""
        return Finding("lock-not-held", lock.lock_class, f"{name} does not hold {lock}")


class NoWarning(OperationCheck):
    """The condition of a WARN_ON is false."""

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
