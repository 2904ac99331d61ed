"""Contexts that can never go on, and those that only wait until a guest lets its thread go.

A thread in KVM_RUN holds its vcpu->mutex, and may read under kvm->srcu, for as long as its guest
wants.  Another task that waits for one of these is not deadlocked, unless that thread itself waits
for what the task holds, directly or by others.
"""

from __future__ import annotations

from collections.abc import Iterable

from hgeisim.drivers.explored.model.automaton import Node
from hgeisim.drivers.explored.model.system import System
from hgeisim.kernel.structs import Thread, Vcpu
from hgeisim.machine.mutex import DownRead, DownWrite, MutexLock
from hgeisim.machine.ops import Op
from hgeisim.machine.schedule import Schedule
from hgeisim.machine.srcu import SynchronizeSrcu


class Blocked:
    """The contexts that have not come to an end, in the present memory, when none can step.

    `stuck` are those that wait for ever, `held_up` those that wait for a guest, each with whom it
    waits for.  A vCPU that sleeps in WFI is neither.
    """

    def __init__(self, system: System, pending: Iterable[int]) -> None:
        self.system, self.k = system, system.k
        nodes = ((slot, self._node(slot)) for slot in pending)
        self.waiting = {slot: node for slot, node in nodes if not sleeps(node.op)}
        self.held_up = self._held_up()
        self.stuck = [slot for slot in self.waiting if slot not in self.held_up]

    def _node(self, slot: int) -> Node:
        automaton = self.system.automata[slot]
        return automaton.node(self.system.memory.cells[automaton.location])

    def _held_up(self) -> dict[int, list[Vcpu]]:
        """Those whose every holder is in its guest, or waits for one itself: the smallest such set,
        so whoever waits in a circle is not among them."""
        found: dict[int, list[Vcpu]] = {}
        again = True
        while again:
            again = False
            for slot, node in self.waiting.items():
                if slot not in found and self._waits_for(found, slot, node.op):
                    again = True
        return found

    def _waits_for(self, found: dict[int, list[Vcpu]], slot: int, op: Op) -> bool:
        """Note the guests that a context waits for, if that is all it waits for."""
        guests: list[Vcpu] = []
        holders = self._holders(op)
        for holder in holders:
            other = self._slot(holder)
            if other in found:
                guests += found[other]
            elif other in self.waiting or not self._in_guest(holder):
                return False
            else:
                guests.append(self.k.vcpu_of[holder])
        if holders:
            found[slot] = guests
        return bool(holders)

    def _holders(self, op: Op) -> list[Thread]:
        """The threads that keep a context which sleeps from going on; none where that is unknown,
        or where it spins and so must not wait for a guest."""
        if isinstance(op, MutexLock):
            return self._threads([op.lock.owner])
        if isinstance(op, DownRead | DownWrite):
            return [] if op.lock.readers else self._threads([op.lock.writer])
        if isinstance(op, SynchronizeSrcu):
            return [
                thread
                for thread, vcpu in self.k.vcpu_of.items()
                if isinstance(thread, Thread) and thread.srcu and vcpu.vm.srcu is op.srcu
            ]
        return []

    def _threads(self, idents: Iterable[int]) -> list[Thread]:
        return [thread for thread in self.k.threads if thread.id in idents]

    def _slot(self, thread: Thread) -> int | None:
        return next((s for s, a in enumerate(self.system.automata) if a.runner is thread), None)

    def _in_guest(self, thread: Thread) -> bool:
        """Whether a thread is in KVM_RUN and waits for nothing but its guest."""
        vcpu = self.k.vcpu_of.get(thread)
        return vcpu is not None and vcpu.mutex.owner == thread.id


def sleeps(op: Op) -> bool:
    """Whether a task sleeps until somebody wakes it, as a vCPU in WFI does."""
    return isinstance(op, Schedule) and not op.task.on_rq
