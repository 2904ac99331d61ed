"""Lanes that wait for something to change: a lock, a sleeper, the answers to an IPI."""

from __future__ import annotations

from typing import TypeAlias

from hgeisim.drivers.timed.environment import Lane
from hgeisim.machine.ipi import Ipi
from hgeisim.machine.mutex import MutexLock
from hgeisim.machine.ops import Op
from hgeisim.machine.schedule import PushOff
from hgeisim.machine.task import Runner

Parked: TypeAlias = list[tuple[Op, Runner, Lane]]
ANY_HART = "any HART"
"""The channel of those who wait for a HART to be preemptible, or active."""


class Parking:
    """Lanes by the channel that they wait on: the object whose change may let them go on.

    The channel `ANY_HART` is looked at whenever anything changes.
    """

    def __init__(self) -> None:
        self.parked: dict[object, Parked] = {}

    def park(self, channel: object, op: Op, who: Runner, lane: Lane) -> None:
        """Let a lane wait; it is to yield None next."""
        self.parked.setdefault(channel, []).append((op, who, lane))

    def unpark(self, channel: object) -> None:
        """Wake those that wait for this, or for a HART, and can go on."""
        for key in (channel, ANY_HART):
            if key in self.parked:
                self._wake(key, self.parked.pop(key))

    def _wake(self, channel: object, waiting: Parked) -> None:
        """Wake all that can go on, but only the first of those that want a mutex."""
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
    """What an operation waits for, or changes; None where that is nothing."""
    kind = type(op)
    if kind not in _CHANNELS:
        _CHANNELS[kind] = next((name for name in _NAMES if hasattr(op, name)), "")
    name = _CHANNELS[kind]
    if name:
        return getattr(op, name)
    if kind is PushOff:
        return ANY_HART
    return who if kind is Ipi else None


_NAMES = ("lock", "srcu", "task", "stop")
_CHANNELS: dict[type[Op], str] = {}
"""The attribute that is the channel, by operation; "" for none."""
