"""Tasks that wait, when a run ends, until a guest lets its thread go."""

from __future__ import annotations

from collections.abc import Iterator

from hgeisim.checks.finding import Finding
from hgeisim.drivers.timed.waits import Waits
from hgeisim.kernel.module import Module
from hgeisim.kernel.structs import Vcpu
from hgeisim.machine.mutex import MutexLock
from hgeisim.machine.ops import Op
from hgeisim.machine.schedule import Schedule
from hgeisim.machine.task import Runner


def held_up(k: Module, waits: Waits, now_ns: int) -> Iterator[tuple[int, Finding]]:
    """Yield a note for each class of mutex that is waited for so, and since when in ns.

    A thread in KVM_RUN holds its vcpu->mutex for as long as its guest wants.
    """
    for who, wait in waits:
        vcpu = _guest_behind(k, waits, who, wait.op)
        if vcpu is not None and isinstance(wait.op, MutexLock):
            text = (
                f"{who.name} at {wait.op}, for {(now_ns - wait.since_ns) / 1e6:.3f} ms at the end: "
                f"until {vcpu.thread.name} leaves KVM_RUN"
            )
            yield wait.since_ns, Finding("waits-for-guest", wait.op.lock.lock_class, text)


def _guest_behind(k: Module, waits: Waits, who: Runner, op: Op) -> Vcpu | None:
    """The vCPU in whose guest the holder of a mutex is, or who that one waits for; None where it
    waits in a circle, or for something else."""
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
