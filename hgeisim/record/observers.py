"""Which operations `Details` sees: locks taken and dropped, guests entered, SGEI levels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from hgeisim.machine.guest import EnterGuest
from hgeisim.machine.ipi import SampleSgei
from hgeisim.machine.mutex import DownRead, DownWrite, MutexLock, MutexUnlock, UpRead, UpWrite
from hgeisim.machine.ops import Op
from hgeisim.machine.rwlock import ReadLock, ReadUnlock, WriteLock, WriteUnlock
from hgeisim.machine.shared import Shared
from hgeisim.machine.spinlock import Acquire, InitLock, Release
from hgeisim.machine.task import Runner
from hgeisim.record.detail_probes import DetailProbes

See: TypeAlias = Callable[[Runner, Any], None]


class Observers:
    """Tells the details of a kernel what its operations did.

    Made when the driver of time is there.  `waited_ns` tells how long the last operation was not
    ready.
    """

    def __init__(self, k: DetailProbes, waited_ns: Callable[[], int]) -> None:
        self.k, self.details, self.locks = k, k.details, k.details.locks
        self.now = k.details.now = k.ktime_get
        self.waited_ns = waited_ns
        self.control: dict[Shared, Any] = {hgctrl.lock: hgctrl for hgctrl in k.hgei}
        for hgctrl in k.hgei:
            self.details.owners.look(0, hgctrl)

    def by_operation(self) -> dict[type[Op], See]:
        """Who sees which operation."""
        made: dict[type[Op], See] = {
            Release: self.line_lock_dropped,
            InitLock: self.lock_made,
            EnterGuest: self.guest_entered,
            SampleSgei: self.sgei_sampled,
        }
        made |= dict.fromkeys((Acquire, WriteLock, MutexLock, DownWrite), self.taken)
        made |= dict.fromkeys((WriteUnlock, MutexUnlock, UpWrite), self.dropped)
        made |= dict.fromkeys((ReadLock, DownRead), self.read_taken)
        return made | dict.fromkeys((ReadUnlock, UpRead), self.read_dropped)

    def taken(self, who: Runner, op: Any) -> None:
        """A lock is held."""
        self.locks.acquired(op.lock, self.now(), self.waited_ns())

    def dropped(self, who: Runner, op: Any) -> None:
        """A lock is held no longer."""
        self.locks.released(op.lock, self.now())

    def read_taken(self, who: Runner, op: Any) -> None:
        """A reader is inside."""
        self.locks.read_acquired(op.lock, who, self.now(), self.waited_ns())

    def read_dropped(self, who: Runner, op: Any) -> None:
        """A reader is outside again."""
        self.locks.read_released(op.lock, who, self.now())

    def line_lock_dropped(self, who: Runner, op: Any) -> None:
        """A spinlock is held no longer; under that of HGEI lines owners may have changed."""
        now_ns = self.now()
        self.locks.released(op.lock, now_ns)
        hgctrl = self.control.get(op.lock)
        if hgctrl is not None:
            self.details.owners.look(now_ns, hgctrl)

    def lock_made(self, who: Runner, op: Any) -> None:
        """The lock of HGEI lines was initialised; owners may have changed before."""
        self.details.owners.look(self.now(), self.control[op.lock])

    def guest_entered(self, who: Runner, op: Any) -> None:
        """A guest begins to run."""
        self.details.entered(self.k.vcpu(op.vcpu))

    def sgei_sampled(self, who: Runner, op: Any) -> None:
        """The SGEI level of a HART may have changed."""
        self.details.sample(self.k.hart[op.cpu])
