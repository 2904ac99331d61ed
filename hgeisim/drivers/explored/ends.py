"""When nothing can happen any more: a good end, a deadlock, or a leak."""

from __future__ import annotations

from collections.abc import Iterator

from hgeisim.checks.finding import Finding
from hgeisim.checks.ownership import NoLeak, NothingStranded
from hgeisim.drivers.explored.space import Space
from hgeisim.kernel.cpuhp import Cpuhp
from hgeisim.machine.ops import Acquire, Block, Op
from hgeisim.machine.task import Runner


def end_findings(space: Space, state: bytes) -> tuple[Finding, ...]:
    """What is wrong with a state that has no successor."""
    waiting = tuple(_waiting_for_ever(space, state))
    return waiting + space.invariants.ask((NoLeak(), NothingStranded()), state)


def _waiting_for_ever(space: Space, state: bytes) -> Iterator[Finding]:
    """Whoever is not at rest waits for ever; a vCPU in WFI with nothing pending may."""
    system = space.system
    cells = space.codebook.decode(state)
    system.memory.begin_step(cells)
    stuck: list[tuple[str, Op]] = []
    for slot in space.pending(state):
        automaton = system.automata[slot]
        op = automaton.node(cells[automaton.location]).op
        if not isinstance(op, Block):
            stuck.append((automaton.name, op))
        elif has_reason_to_wake(system.k, automaton.runner):
            text = f"{automaton.name} sleeps for ever with an interrupt pending"
            yield Finding("lost-wakeup", "vcpu", text)
    if stuck:
        text = ", ".join(f"{name} at {op}" for name, op in stuck)
        yield Finding("deadlock", _classes([op for _, op in stuck]), f"for ever: {text}")


def has_reason_to_wake(k: Cpuhp, sleeper: Runner) -> bool:
    """Tell whether a sleeping vCPU has something to wake up for."""
    vcpu = k.vcpu_of[sleeper]
    if vcpu.vsfile_cpu >= 0 and k.hart[vcpu.vsfile_cpu].hgeip >> vcpu.vsfile_hgei & 1:
        return True
    return bool(vcpu.sw_pending or vcpu.stop)


def _classes(ops: list[Op]) -> str:
    """What hangs, as a stable id: the locks, if any; others then only wait behind them."""
    if any(isinstance(op, Acquire) for op in ops):
        return "hgei.lock"
    locks = [op for op in ops if hasattr(op, "lock")]
    return "+".join(sorted({type(op).__name__.lower() for op in locks or ops}))
