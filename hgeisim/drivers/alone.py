"""Run one path to its end with nobody else around: booting, and the start of a scenario."""

from __future__ import annotations

from hgeisim.kernel.module import Module
from hgeisim.kernel.structs import Thread, make_hardirq
from hgeisim.machine.ipi import Ipi
from hgeisim.machine.ops import Path
from hgeisim.machine.schedule import Schedule
from hgeisim.machine.task import Runner


def run_alone(path: Path[object], who: Runner) -> None:
    """Execute a path at once; an IPI is handled on the spot.

    Raises `AssertionError` when an operation would have to wait for somebody else.
    """
    for op in path:
        op.begin(who)
        if isinstance(op, Ipi):
            answer_ipi(op, who)
        while not op.ready(who):
            assert op.proceed(who), f"{op} waits, but {who} is alone"
        op.end(who)
        if isinstance(op, Schedule) and op.task.allowed:
            who.cpu = op.task.allowed - 1


def answer_ipi(op: Ipi, sender: Runner) -> None:
    """Handle an IPI at once, on all HARTs that it is for, and let the sender go on."""
    for hart in sender.harts:
        if sender.ipi_wait >> hart.id & 1:
            current = make_hardirq(None, f"ipi/{hart.id}", hart.id, hart.id, sender.harts)
            run_alone(op.handler(current, sender), current)
    sender.ipi_wait = 0


def boot(k: Module, boot_thread: Thread) -> None:
    """Load the module on the CPU of `boot_thread`; CPUs are enabled one at a time (F4)."""
    run_alone(k.riscv_kvm_init(boot_thread), boot_thread)
