"""The lockset of each guarded field, as Eraser checks it: the lock is held at every access.

Savage et al., "Eraser: a dynamic data race detector for multithreaded programs", TOCS 15, 1997;
but which lock it has to be is written down (`kernel/guards.py`), and not learned.
"""

from __future__ import annotations

from collections.abc import Iterator

from hgeisim.checks.access import Access
from hgeisim.checks.check import OperationCheck
from hgeisim.checks.finding import Finding, Moment
from hgeisim.kernel.guards import Guard, is_reachable
from hgeisim.kernel.module import Module
from hgeisim.kernel.structs import HgeiControl
from hgeisim.machine.rwlock import RwLock
from hgeisim.machine.shared import Shared


class UnderItsLock(OperationCheck):
    """Guarded fields are accessed with their lock held.

    A section under a lock is often one step, so that a patch which leaves the lock out has the same
    states.  Needs tracked memory; in time, a user's patch, whose paths are followed.
    """

    def wrong(self, k: Module, moment: Moment) -> Iterator[Finding]:
        """Look at each access that a step has made to a guarded field."""
        bad = (access for access in moment.accesses if not _may(k, access, moment.held))
        yield from dict.fromkeys(self._finding(moment, access) for access in bad)

    @staticmethod
    def _finding(moment: Moment, access: Access) -> Finding:
        """Say who did it, and with which locks."""
        lock = getattr(access.struct, access.guard.lock)
        does = "writes" if access.written else "reads"
        held = " and ".join(moment.held).replace(lock.name, f"{lock.name} for reading only")
        text = f"{moment.who.name} {does} {access.field} of {_name(access.struct)} in "
        text = f"{text}{access.function} and has taken {held or 'no lock'}; every other "
        text = f"{text}{'write' if access.written else 'read'} is made under {lock}"
        return Finding("unlocked", f"{access.guard.data} in {access.function}", text)


def _may(k: Module, access: Access, held: tuple[str, ...]) -> bool:
    """Whether an access may be made with these locks held."""
    if holds(k, access.guard, access.struct, access.written, held):
        return True
    return (access.marked and not access.written) or not is_reachable(k, access.struct)


def holds(k: Module, guard: Guard, struct: Shared, written: bool, held: tuple[str, ...]) -> bool:
    """Whether the lock that guards a field of a struct is among those that are held, as it has to
    be for a read or a write."""
    lock = getattr(struct, guard.lock)
    return lock.name in held and (not written or _is_exclusive(k, lock))


def _is_exclusive(k: Module, lock: Shared) -> bool:
    """Whether a lock that is held keeps everybody else out.  Nobody can change that meanwhile, so
    to look is no access of the path."""
    if not isinstance(lock, RwLock):
        return True
    if k.memory is None:
        return lock.writers_inside > 0
    return bool(k.memory.aside(lambda: lock.writers_inside))


def _name(struct: Shared) -> str:
    """What a struct is called in a report."""
    return f"HART {struct.cpu}" if isinstance(struct, HgeiControl) else str(struct)
