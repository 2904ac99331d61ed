"""Misuse of a lock that shows on the lock itself."""

from __future__ import annotations

from collections.abc import Iterator

from hgeisim.checks.finding import Finding, Moment
from hgeisim.kernel.cpuhp import Cpuhp
from hgeisim.machine.ops import InitLock
from hgeisim.machine.shared import addresses


class LockInitHeld:
    """A lock is not initialised while somebody is inside or waits."""

    def step(self, k: Cpuhp, moment: Moment) -> Iterator[Finding]:
        """Look at each raw_spin_lock_init."""
        if isinstance(moment.op, InitLock) and moment.op.lock.drawn:
            text = f"{moment.who.name} initialises {moment.op.lock} while it is held"
            yield Finding("lock-init-held", "hgei.lock", text)


class OneInside:
    """A lock lets one context in at a time."""

    def watches(self, k: Cpuhp) -> Iterator[int]:
        """All HGEI locks."""
        for hgctrl in k.hgei:
            yield from addresses(hgctrl.lock, "inside")

    def state(self, k: Cpuhp) -> Iterator[Finding]:
        """Report a lock with two contexts inside."""
        for hgctrl in k.hgei:
            if hgctrl.lock.inside > 1:
                text = f"{hgctrl.lock} has {hgctrl.lock.inside} contexts inside"
                yield Finding("broken-lock", "hgei.lock", text)
