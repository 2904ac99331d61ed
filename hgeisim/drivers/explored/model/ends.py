"""When nothing can happen any more: a good end, a deadlock, or a leak."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from hgeisim.checks.catalogue import At, asked
from hgeisim.checks.finding import Finding
from hgeisim.drivers.crash import not_to_be_looked_at
from hgeisim.drivers.explored.model.automaton import Node
from hgeisim.drivers.explored.model.blocked import Blocked, sleeps
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.model.system import System
from hgeisim.kernel.module import Module
from hgeisim.kernel.vcpu import pending_in_vsfile
from hgeisim.machine.ops import Op
from hgeisim.machine.spinlock import Acquire
from hgeisim.machine.task import Runner


def end_findings(space: Space, state: bytes) -> tuple[Finding, ...]:
    """What is wrong with a state that has no successor; in a deadlock nothing else matters."""
    return tuple(not_to_be_looked_at(space.system.k, partial(_end_findings, space, state)))


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
    """Each vCPU that sleeps in WFI with something pending."""
    for slot in pending:
        automaton = system.automata[slot]
        node = automaton.node(system.memory.cells[automaton.location])
        if sleeps(node.op) and has_reason_to_wake(system.k, automaton.runner):
            text = f"{automaton.name} sleeps for ever with an interrupt pending"
            yield Finding("lost-wakeup", "vcpu", text)


def _deadlock(system: System, blocked: Blocked) -> Finding:
    """Those that wait for ever, and what they wait for."""
    nodes = {slot: blocked.waiting[slot] for slot in blocked.stuck}
    texts = [f"{system.automata[slot].name} at {node.op}" for slot, node in nodes.items()]
    waiting = [node.op for slot, node in nodes.items() if _waits(system, slot, node)]
    return Finding("deadlock", _classes(waiting), f"for ever: {', '.join(texts)}")


def _waits_for_guests(system: System, blocked: Blocked) -> Iterator[Finding]:
    """Those that wait until a thread leaves KVM_RUN."""
    for slot, guests in blocked.held_up.items():
        node, name = blocked.waiting[slot], system.automata[slot].name
        whom = ", ".join(dict.fromkeys(vcpu.thread.name for vcpu in guests))
        holds = ", ".join(node.balance.locks()) or "nothing"
        text = f"{name} at {node.op}, holding {holds}: until {whom} leaves KVM_RUN"
        yield Finding("waits-for-guest", _classes([node.op]), text)


def _waits(system: System, slot: int, node: Node) -> bool:
    """Tell whether a context waits; one whose HART another keeps waits for nothing itself."""
    who = system.automata[slot].runner
    if who.id and not system.may_run(who, node.op):
        return False
    return node.waiting or not (node.op.waits or node.op.ready(who))


def has_reason_to_wake(k: Module, sleeper: Runner) -> bool:
    """Tell whether a sleeping vCPU has something to wake up for."""
    vcpu = k.vcpu_of[sleeper]
    return bool(pending_in_vsfile(k, vcpu) or vcpu.swfile.deliverable() or vcpu.stop)


def _classes(ops: list[Op]) -> str:
    """What is waited for, as a stable id: the spinlocks, else the other locks, if any; who waits
    for something else then only waits behind them."""
    spinning = {op.lock.lock_class for op in ops if isinstance(op, Acquire)}
    locks = {op.lock.lock_class for op in ops if hasattr(op, "lock")}
    others = {type(op).__name__.lower() for op in ops}
    return "+".join(sorted(spinning or locks or others)) or "hart"
