"""Wait queues: lanes that wait for something to change, such as a lock, a sleeper, or the answers
to an IPI.

`Waits` records the operation that each context currently waits for, since when, and the state in
which it began to wait.  When a run ends, `waits_for_guest` reports the tasks that wait until a
guest lets its thread go.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

from hgeisim.checks.finding import Finding
from hgeisim.drivers.timed.environment import Lane
from hgeisim.kernel.main import Module
from hgeisim.kernel.structs import Vcpu
from hgeisim.machine.ipi import Ipi
from hgeisim.machine.mutex import MutexLock
from hgeisim.machine.ops import Op, Path
from hgeisim.machine.schedule import PushOff, Schedule
from hgeisim.machine.task import Runner

Parked: TypeAlias = list[tuple[Op, Runner, Lane]]
ANY_HART = "any HART"
"""The channel of lanes that wait for a HART to become preemptible, or active."""


class WaitQueues:
    """Parked lanes by channel, the object whose change may let them go on.

    The channel `ANY_HART` is checked whenever anything changes.
    """

    def __init__(self) -> None:
        self.parked: dict[object, Parked] = {}

    def park(self, channel: object, op: Op, who: Runner, lane: Lane) -> None:
        """Queue a lane, which must yield None next."""
        self.parked.setdefault(channel, []).append((op, who, lane))

    def unpark(self, channel: object) -> None:
        """Wake the lanes that wait on a channel, or for any HART, and can go on."""
        for key in (channel, ANY_HART):
            if key in self.parked:
                self._wake(key, self.parked.pop(key))

    def _wake(self, channel: object, waiting: Parked) -> None:
        """Wake all lanes that can go on, but only the first of those that want a mutex."""
        still: Parked = []
        mutex_taken = False
        for entry in waiting:
            op, who, lane = entry
            wants_mutex = type(op) is MutexLock
            if not op.can_go_on(who) or (wants_mutex and mutex_taken):
                still.append(entry)
            else:
                mutex_taken = mutex_taken or wants_mutex
                lane.wake()
        if still:
            self.parked[channel] = still


def channel_of(who: Runner, op: Op) -> object:
    """The object that an operation waits for, or changes; None if there is none."""
    kind = type(op)
    if kind not in _CHANNELS:
        names = "lock", "srcu", "task", "stop", "creation", "freezer"
        _CHANNELS[kind] = next((name for name in names if hasattr(op, name)), "")
    name = _CHANNELS[kind]
    if name:
        return getattr(op, name)
    if kind is PushOff:
        return ANY_HART
    return who if kind is Ipi else None


_CHANNELS: dict[type[Op], str] = {}
"""The attribute of an operation that is its channel, by class; "" for none."""


class Wait(NamedTuple):
    """An operation that is not over.

    `irq_off` and `preempt_count` are those of its HART when the wait began and the context had the
    HART to itself; since then a hardirq or another task may have come.  `path` is the one that
    waits.
    """

    op: Op
    path: Path[Any] | None
    since_ns: int
    irq_off: int
    preempt_count: int


class Waits:
    """The waits of a driver by context; `paths` has the path that each context executes."""

    def __init__(self, paths: Mapping[Runner, Path[Any]]) -> None:
        self.paths = paths
        self._now: dict[Runner, Wait] = {}

    def begin(self, who: Runner, op: Op, now_ns: int) -> Wait | None:
        """A context begins to wait; returns the wait that this one interrupts, for `end`."""
        below, hart = self._now.get(who), who.hart
        path = self.paths.get(who)
        self._now[who] = Wait(op, path, now_ns, hart.irq_off, hart.preempt_count)
        return below

    def end(self, who: Runner, below: Wait | None) -> None:
        """The wait is over."""
        if below is None:
            del self._now[who]
        else:
            self._now[who] = below

    def of(self, who: Runner) -> Wait | None:
        """The current wait of a context, if any."""
        return self._now.get(who)

    def __iter__(self) -> Iterator[tuple[Runner, Wait]]:
        """Yield each waiting context and its wait, except contexts that execute another path
        meanwhile, such as the preempt notifier of a task that gives its HART up."""
        for who, wait in self._now.items():
            if self.paths.get(who) is wait.path:
                yield who, wait


def waits_for_guest(k: Module, waits: Waits, now_ns: int) -> Iterator[tuple[int, Finding]]:
    """Yield a note, and since when in ns, for each class of mutex that a guest makes others wait
    for: a thread in KVM_RUN holds its vcpu->mutex for as long as its guest wants."""
    for who, wait in waits:
        vcpu = _guest_behind(k, waits, who, wait.op)
        if vcpu is not None and isinstance(wait.op, MutexLock):
            text = (
                f"{who.name} at {wait.op}, for {(now_ns - wait.since_ns) / 1e6:.3f} ms at the end: "
                f"until {vcpu.thread.name} leaves KVM_RUN"
            )
            yield wait.since_ns, Finding("waits-for-guest", wait.op.lock.lock_class, text)


def _guest_behind(k: Module, waits: Waits, who: Runner, op: Op) -> Vcpu | None:
    """The vCPU in whose guest the holder of a mutex is, or the holder that this one waits for in
    turn; None if they wait in a cycle, or for something else."""
    seen = [who]
    while isinstance(op, MutexLock):
        owner = next((thread for thread in k.threads if thread.id == op.lock.owner), None)
        if owner is None or owner in seen:
            return None
        seen.append(owner)
        wait = waits.of(owner)
        if wait is None or isinstance(wait.op, Schedule):
            vcpu = k.vcpu_of.get(owner)
            return vcpu if vcpu is not None and vcpu.mutex.owner == owner.id else None
        op = wait.op
    return None
