"""When nothing can happen any more: a good end, a deadlock, or a leak."""

from __future__ import annotations

from collections.abc import Iterator

from hgeisim.checks.finding import Finding
from hgeisim.checks.ownership import NoLeak
from hgeisim.drivers.explored.space import Space
from hgeisim.machine.ops import Acquire, Block, Op


def end_findings(space: Space, state: bytes) -> tuple[Finding, ...]:
    """What is wrong with a state that has no successor."""
    waiting = tuple(_deadlocks(space, state))
    return waiting or space.invariants.ask((NoLeak(),), state)


def _deadlocks(space: Space, state: bytes) -> Iterator[Finding]:
    """Whoever is not at rest waits for ever; a vCPU in WFI with nothing pending may."""
    system = space.system
    cells = space.codebook.decode(state)
    system.memory.begin_step(cells)
    waiting = []
    for slot in space.pending(state):
        automaton = system.automata[slot]
        op = automaton.node(cells[automaton.location]).op
        if not (isinstance(op, Block) and _quiescent(space, slot)):
            waiting.append((automaton.name, op))
    if waiting:
        text = ", ".join(f"{name} at {op}" for name, op in waiting)
        yield Finding("deadlock", _classes([op for _, op in waiting]), f"for ever: {text}")


def _quiescent(space: Space, slot: int) -> bool:
    """Tell whether a sleeping vCPU has nothing to wake up for."""
    system = space.system
    thread = system.automata[slot].runner
    vcpu = system.k.vcpu_of.get(thread)
    if vcpu is None:
        return False
    pending = vcpu.sw_pending or vcpu.stop
    if vcpu.vsfile_cpu >= 0:
        pending = pending or system.k.hart[vcpu.vsfile_cpu].hgeip >> vcpu.vsfile_hgei & 1
    return not pending


def _classes(ops: list[Op]) -> str:
    """What hangs, as a stable id: the lock if there is one, since then others only wait behind."""
    if any(isinstance(op, Acquire) for op in ops):
        return "hgei.lock"
    return "+".join(sorted({type(op).__name__.lower() for op in ops}))
