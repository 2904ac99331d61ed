"""Run one path to its end with nobody else around: booting, and the start of a scenario."""

from __future__ import annotations

from hgeisim.kernel.cpuhp import Cpuhp
from hgeisim.kernel.state import Thread
from hgeisim.machine.ops import Ipi, Path
from hgeisim.machine.task import Runner, no_task


def run_alone(path: Path[object], who: Runner) -> None:
    """Execute a path at once; an IPI is handled on the spot.

    Raises `AssertionError` when an operation would have to wait for somebody else.
    """
    for op in path:
        op.begin(who)
        if isinstance(op, Ipi) and who.ipi_to:
            answer_ipi(op, who)
        while not op.ready(who):
            assert op.proceed(who), f"{op} waits, but {who} is alone"
        op.end(who)


def answer_ipi(op: Ipi, sender: Runner) -> None:
    """Handle an IPI at once, on its own HART, and let the sender go on."""
    run_alone(op.handler(op.cpu, sender), no_task(None, "hardirq", op.cpu, sender.harts))
    sender.ipi_to = 0


def boot(k: Cpuhp, boot_thread: Thread) -> None:
    """Load the module on the CPU of `boot_thread` and enable every CPU, one at a time (F4)."""
    init_cpu = boot_thread.cpu
    run_alone(k.kvm_riscv_aia_init(boot_thread), boot_thread)
    for cpu in range(len(k.hart)):
        boot_thread.cpu = cpu
        run_alone(k.kvm_online_cpu(boot_thread), boot_thread)
    boot_thread.cpu = init_cpu
