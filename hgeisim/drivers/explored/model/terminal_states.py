"""Terminal states, in which nothing more can happen: a good end, a deadlock, or a leak.

A thread in KVM_RUN holds its vcpu->mutex, and may read under kvm->srcu, for as long as its guest
wants.  Another task that waits for one of these is not deadlocked, unless that thread itself waits,
directly or indirectly, for something that the task holds.

A deadlock is described as a cycle of contexts that wait for each other: what each holds, what it
wants, and which context has that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import NamedTuple

from hgeisim.checks.catalogue import At, asked
from hgeisim.checks.delivery import slept_through_ipi, where_it_sleeps
from hgeisim.checks.finding import Finding
from hgeisim.drivers.explored.model.automaton import REST, Node
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.model.system import System
from hgeisim.drivers.path_failure import findings_or_crash
from hgeisim.kernel.main import Module
from hgeisim.kernel.structs import Thread, Vcpu
from hgeisim.kernel.vcpu import pending_in_vsfile
from hgeisim.machine.ipi import Ipi
from hgeisim.machine.mutex import DownRead, DownWrite, MutexLock
from hgeisim.machine.ops import Op
from hgeisim.machine.schedule import Schedule
from hgeisim.machine.spinlock import Acquire
from hgeisim.machine.srcu import SynchronizeSrcu
from hgeisim.machine.task import Runner


class Blocked:
    """The contexts that have not finished, in the present memory, when none can step.

    `stuck` are those that wait for ever, `held_up` those that wait for guests, with these guests.
    A vCPU that sleeps in WFI is neither, nor is an idle task whose HART is busy for good.
    """

    def __init__(self, system: System, pending: Iterable[int]) -> None:
        self.system, self.k = system, system.k
        nodes = ((slot, _present_node(system, slot)) for slot in pending)
        self.waiting = {
            slot: node
            for slot, node in nodes
            if not (sleeps(node.op) or system.is_put_off(system.automata[slot].runner))
        }
        self.held_up = self._held_up()
        self.stuck = [slot for slot in self.waiting if slot not in self.held_up]

    def _held_up(self) -> dict[int, list[Vcpu]]:
        """The contexts whose holders are all in their guests, or held up themselves.

        It is the smallest such set, so contexts that wait in a cycle are not in it.
        """
        found: dict[int, list[Vcpu]] = {}
        again = True
        while again:
            again = False
            for slot, node in self.waiting.items():
                if slot not in found and (guests := self._guests(found, node.op)):
                    found[slot] = guests
                    again = True
        return found

    def _guests(self, found: dict[int, list[Vcpu]], op: Op) -> list[Vcpu]:
        """The guests that an operation waits for; none if it waits for anything else as well."""
        guests, automata = list[Vcpu](), self.system.automata
        for holder in self._holders(op):
            other = next((slot for slot, a in enumerate(automata) if a.runner is holder), None)
            if other in found:
                guests += found[other]
            elif other in self.waiting or not self._in_guest(holder):
                return []
            else:
                guests.append(self.k.vcpu_of[holder])
        return guests

    def _holders(self, op: Op) -> list[Thread]:
        """The threads that keep a sleeping context from going on; none if they are unknown, or if
        it spins and therefore must not wait for a guest."""
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

    def _in_guest(self, thread: Thread) -> bool:
        """Whether a thread is in KVM_RUN, where only its guest keeps it."""
        vcpu = self.k.vcpu_of.get(thread)
        return vcpu is not None and vcpu.mutex.owner == thread.id


def _present_node(system: System, slot: int) -> Node:
    automaton = system.automata[slot]
    return automaton.node(system.memory.cells[automaton.location])


def sleeps(op: Op) -> bool:
    """Whether a task sleeps until something wakes it, as a vCPU in WFI does."""
    return isinstance(op, Schedule) and not op.task.on_rq


def end_findings(space: Space, state: bytes) -> tuple[Finding, ...]:
    """The findings of a state without a successor; in a deadlock nothing else matters."""
    return tuple(findings_or_crash(space.system.k, partial(_end_findings, space, state)))


def _end_findings(space: Space, state: bytes) -> tuple[Finding, ...]:
    system = space.system
    system.memory.begin_step(space.codebook.decode(state))
    pending = space.pending(state)
    blocked = Blocked(system, pending)
    sleepless = tuple(_sleepless(system, pending))
    if blocked.stuck:
        return (*sleepless, _deadlock(system, blocked))
    waits = tuple(_waits_for_guests(system, blocked))
    return (*sleepless, *waits, *space.invariants.ask(asked(At.QUIET), state))


def _sleepless(system: System, pending: list[int]) -> Iterator[Finding]:
    """A finding for each vCPU that sleeps in WFI with something pending."""
    for slot in pending:
        automaton = system.automata[slot]
        if not sleeps(_present_node(system, slot).op):
            continue
        vcpu = system.k.vcpu_of[automaton.runner]
        if has_reason_to_wake(system.k, automaton.runner):
            text = f"{automaton.name} sleeps for ever with an interrupt pending"
            yield Finding("lost-wakeup", "vcpu", text, where_it_sleeps(vcpu))
        yield from slept_through_ipi(vcpu)


def _deadlock(system: System, blocked: Blocked) -> Finding:
    """The finding for the contexts that wait for ever, named after what they wait for."""
    nodes = {slot: blocked.waiting[slot] for slot in blocked.stuck}
    texts = [f"{system.automata[slot].name} at {node.op}" for slot, node in nodes.items()]
    waiting = [node.op for slot, node in nodes.items() if _is_waiting(system, slot, node)]
    return Finding("deadlock", _classes(waiting), f"for ever: {', '.join(texts)}")


def _waits_for_guests(system: System, blocked: Blocked) -> Iterator[Finding]:
    """A finding for each context that waits until a thread leaves KVM_RUN."""
    for slot, guests in blocked.held_up.items():
        node, name = blocked.waiting[slot], system.automata[slot].name
        whom = ", ".join(dict.fromkeys(vcpu.thread.name for vcpu in guests))
        holds = ", ".join(node.balance.locks()) or "nothing"
        text = f"{name} at {node.op}, holding {holds}: until {whom} leaves KVM_RUN"
        yield Finding("waits-for-guest", _classes([node.op]), text)


def _is_waiting(system: System, slot: int, node: Node) -> bool:
    """Whether a context itself waits; one whose HART another context keeps does not."""
    who = system.automata[slot].runner
    if who.id and not system.may_run(who, node.op):
        return False
    return node.waiting or not (node.op.waits or node.op.ready(who))


def has_reason_to_wake(k: Module, sleeper: Runner) -> bool:
    """Whether a sleeping vCPU has something to wake up for."""
    vcpu = k.vcpu_of[sleeper]
    return bool(pending_in_vsfile(k, vcpu) or vcpu.swfile.deliverable() or vcpu.stop)


def _classes(ops: list[Op]) -> str:
    """The things that are waited for, as a stable id: spinlocks, else other locks, else operations;
    contexts that wait for anything less only wait behind those."""
    spinning = {op.lock.lock_class for op in ops if isinstance(op, Acquire)}
    locks = {op.lock.lock_class for op in ops if hasattr(op, "lock")}
    others = {type(op).__name__.lower() for op in ops}
    return "+".join(sorted(spinning or locks or others)) or "hart"


class Stuck(NamedTuple):
    """A context that can never go on, its call chain, and the context that it waits for (`of`).

    `wants` is None if that context keeps its CPU.  In a `hardirq` interrupts are off.
    """

    slot: int
    context: str
    cpu: int
    functions: tuple[str, ...]
    holds: tuple[str, ...]
    wants: str | None
    of: int
    hardirq: bool = False


def wait_cycle(space: Space, state: bytes) -> tuple[Stuck, ...]:
    """A cycle of contexts in a terminal state, in which each waits for the next and the last for
    the first; empty if there is none."""
    system = space.fine.system
    system.memory.begin_step(space.fine.codebook.decode(state))
    blocked = Blocked(system, space.fine.pending(state))
    waits = {slot: _stuck(space, blocked, slot) for slot in blocked.stuck}
    for start in waits:
        way, slot = list[int](), start
        while slot in waits and slot not in way:
            way.append(slot)
            stuck = waits[slot]
            slot = -1 if stuck is None else stuck.of
        if slot in way:
            found = (waits[each] for each in way[way.index(slot) :])
            return tuple(each for each in found if each is not None)
    return ()


def _stuck(space: Space, blocked: Blocked, slot: int) -> Stuck | None:
    node, system = blocked.waiting[slot], space.system
    who = system.automata[slot].runner
    if who.id and not system.may_run(who, node.op):
        wants, others = None, list(_on_cpu(space, who.cpu))
    else:
        wants, others = str(node.op), list(_keepers(space, slot, node))
    others = [other for other in others if other != slot and other in blocked.stuck]
    if not others:
        return None
    name, locks = system.automata[slot].name, node.balance.locks()
    return Stuck(slot, name, who.cpu, node.shown, locks, wants, others[0], hardirq=not who.id)


def _keepers(space: Space, slot: int, node: Node) -> Iterator[int]:
    """The contexts that hold the lock for which one waits, or that have to take its interrupt."""
    lock = getattr(getattr(node.op, "lock", None), "name", None)
    memory = space.system.memory
    for other, automaton in enumerate(space.system.automata):
        there = automaton.nodes[memory.cells[automaton.location]]
        if there is not None and lock in there.balance.locks() and other != slot:
            yield other
    if isinstance(node.op, Ipi):
        waits_for = space.system.automata[slot].runner.ipi_wait
        for cpu in range(len(space.system.k.hart)):
            if waits_for >> cpu & 1:
                yield from _on_cpu(space, cpu)


def _on_cpu(space: Space, cpu: int) -> Iterator[int]:
    """The contexts on a CPU: the handler of an interrupt first, then its tasks."""
    system = space.system
    running = [
        slot
        for slot, automaton in enumerate(system.automata)
        if automaton.runner.cpu == cpu and system.memory.cells[automaton.location] != REST
    ]
    yield from sorted(running, key=lambda slot: (system.automata[slot].runner.id != 0, slot))
