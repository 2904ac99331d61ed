"""Run one path to its end with nothing else running: at boot, and at the start of a scenario."""

from __future__ import annotations

from hgeisim.kernel.main import Module
from hgeisim.kernel.structs import Thread, make_hardirq
from hgeisim.machine.balance import frames
from hgeisim.machine.hang import Endless, SelfDeadlock
from hgeisim.machine.ipi import Ipi
from hgeisim.machine.kernel_name import is_of_kernel
from hgeisim.machine.ops import Path, resumed
from hgeisim.machine.schedule import Schedule
from hgeisim.machine.task import Runner
from hgeisim.machine.watch import Watch

LONGEST = 200_000
"""Operations of a path alone; booting 512 HARTs, the most there may be, takes about 6,200."""


def run_alone(path: Path[object], who: Runner, watch: Watch | None = None) -> None:
    """Execute a whole path; an IPI is handled on the spot.

    Raises `SelfDeadlock` if an operation would have to wait for another context, and `Endless` if
    the path does not come to an end.
    """
    watch = watch or Watch()
    watch.paths[who] = path
    op, made = next(path, None), 0
    while op is not None:
        made += 1
        if made > LONGEST:
            raise Endless(f"{who} goes on for ever: {LONGEST:,} operations", functions_of(path))
        op.begin(who)
        if isinstance(op, Ipi):
            answer_ipi(op, who, watch)
        while not op.ready(who):
            if not op.proceed(who):
                raise SelfDeadlock(f"{op} waits, but {who} is alone", functions_of(path))
        op.end(who)
        watch.show(who, op)
        if isinstance(op, Schedule) and op.task.allowed:
            who.cpu = op.task.allowed - 1
        op = resumed(path, op, who)
    del watch.paths[who]


def functions_of(path: Path[object]) -> tuple[str, ...]:
    """The functions of the kernel that a suspended path is in, outermost first."""
    inside = (each for each in frames(path) if is_of_kernel(each.gi_frame))
    return tuple(each.gi_code.co_name for each in inside)


def answer_ipi(op: Ipi, sender: Runner, watch: Watch | None = None) -> None:
    """Handle an IPI immediately, on all HARTs that it is for, and let the sender go on."""
    for hart in sender.harts:
        if sender.ipi_wait >> hart.id & 1:
            current = make_hardirq(None, f"ipi/{hart.id}", hart.id, hart.id, sender.harts)
            run_alone(op.handler(current, sender), current, watch)
    sender.ipi_wait = 0


def boot(k: Module, boot_thread: Thread, watch: Watch | None = None) -> None:
    """Load the module on the CPU of `boot_thread`; it enables the CPUs one at a time (F4)."""
    run_alone(k.riscv_kvm_init(boot_thread), boot_thread, watch)
