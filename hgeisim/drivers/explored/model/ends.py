"""When nothing can happen any more: a good end, a deadlock, or a leak."""

from __future__ import annotations

from collections.abc import Iterator

from hgeisim.checks.catalogue import At, asked
from hgeisim.checks.finding import Finding
from hgeisim.drivers.explored.model.automaton import Node
from hgeisim.drivers.explored.model.space import Space
from hgeisim.drivers.explored.model.system import System
from hgeisim.kernel.module import Module
from hgeisim.kernel.vcpu import pending_in_vsfile
from hgeisim.machine.ops import Op
from hgeisim.machine.schedule import Schedule
from hgeisim.machine.spinlock import Acquire
from hgeisim.machine.task import Runner


def end_findings(space: Space, state: bytes) -> tuple[Finding, ...]:
    """What is wrong with a state that has no successor; in a deadlock nothing else matters."""
    waiting = tuple(_waiting_for_ever(space, state))
    if any(finding.kind == "deadlock" for finding in waiting):
        return waiting
    return waiting + space.invariants.ask(asked(At.QUIET), state)


def _waiting_for_ever(space: Space, state: bytes) -> Iterator[Finding]:
    """Whoever is not at rest waits for ever; a vCPU in WFI with nothing pending may."""
    system = space.system
    cells = space.codebook.decode(state)
    system.memory.begin_step(cells)
    stuck: list[str] = []
    waiting: list[Op] = []
    for slot in space.pending(state):
        automaton = system.automata[slot]
        node = automaton.node(cells[automaton.location])
        op = node.op
        if not isinstance(op, Schedule) or op.task.on_rq:
            stuck.append(f"{automaton.name} at {op}")
            if _waits(system, slot, node):
                waiting.append(op)
        elif has_reason_to_wake(system.k, automaton.runner):
            text = f"{automaton.name} sleeps for ever with an interrupt pending"
            yield Finding("lost-wakeup", "vcpu", text)
    if stuck:
        yield Finding("deadlock", _classes(waiting), f"for ever: {', '.join(stuck)}")


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
