"""Run one path to its end with nobody else around: booting, and the start of a scenario."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hgeisim.errors import ModelError
from hgeisim.kernel.module import Module
from hgeisim.kernel.structs import Thread, make_hardirq
from hgeisim.machine.ipi import Ipi
from hgeisim.machine.ops import Op, Path
from hgeisim.machine.schedule import Schedule
from hgeisim.machine.task import Runner


@dataclass
class Onlookers:
    """Who wants to see what is done: `observe` by the type of an operation, just after it;
    `paths` says meanwhile which path a context executes."""

    observe: Mapping[type[Op], Callable[[Runner, Op], None]] = field(default_factory=dict)
    paths: dict[Runner, Path[Any]] = field(default_factory=dict)

    def saw(self, who: Runner, op: Op) -> None:
        """Show them an operation."""
        look = self.observe.get(type(op))
        if look is not None:
            look(who, op)


def run_alone(path: Path[object], who: Runner, onlookers: Onlookers | None = None) -> None:
    """Execute a path at once; an IPI is handled on the spot.

    Raises `AssertionError` when an operation would have to wait for somebody else.
    """
    looking = onlookers or Onlookers()
    looking.paths[who] = path
    for op in path:
        op.begin(who)
        if isinstance(op, Ipi):
            answer_ipi(op, who, looking)
        while not op.ready(who):
            if not op.proceed(who):
                raise ModelError(f"{op} waits, but {who} is alone")
        op.end(who)
        looking.saw(who, op)
        if isinstance(op, Schedule) and op.task.allowed:
            who.cpu = op.task.allowed - 1
    del looking.paths[who]


def answer_ipi(op: Ipi, sender: Runner, onlookers: Onlookers | None = None) -> None:
    """Handle an IPI at once, on all HARTs that it is for, and let the sender go on."""
    for hart in sender.harts:
        if sender.ipi_wait >> hart.id & 1:
            current = make_hardirq(None, f"ipi/{hart.id}", hart.id, hart.id, sender.harts)
            run_alone(op.handler(current, sender), current, onlookers)
    sender.ipi_wait = 0


def boot(k: Module, boot_thread: Thread, onlookers: Onlookers | None = None) -> None:
    """Load the module on the CPU of `boot_thread`; CPUs are enabled one at a time (F4)."""
    run_alone(k.riscv_kvm_init(boot_thread), boot_thread, onlookers)
