"""Interrupts between HARTs: smp_call_function_many with wait, and the reschedule IPI."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from hgeisim.machine.kernel_name import shown
from hgeisim.machine.ops import LEFT, Op, Path
from hgeisim.machine.task import Runner

Handler = Callable[[Runner, Any], Path[None]]
"""handler(current, sender): the path that runs on the target as a hardirq."""


@dataclass(frozen=True, slots=True)
class Ipi(Op):
    """on_each_cpu_mask with wait: every online HART of `who.ipi_mask` runs `handler`.

    HARTs that are not online are left out silently.  The own HART runs it, too.  From a `device` it
    is not an IPI, but arrives as one; that of a HART that is offline has been moved to another one
    (irq_migrate_all_off_this_cpu, kernel/irq/cpuhotplug.c).
    """

    cost: ClassVar[str] = "ipi"
    waits: ClassVar[bool] = True
    handler: Handler
    device: bool = field(default=False, kw_only=True)

    def begin(self, who: Runner) -> None:
        """Wait for each online target from now on; the driver lets the interrupts arrive."""
        mask = left = who.ipi_mask
        while left:
            target = left & -left
            if not who.harts[target.bit_length() - 1].online:
                mask &= ~target
            left &= ~target
        if self.device and not mask:
            mask = 1 << next(hart.id for hart in who.harts if hart.online)
        who.ipi_wait = mask

    def ready(self, who: Runner) -> bool:
        """All handlers have finished."""
        return who.ipi_wait == 0

    def end(self, who: Runner) -> None:
        """The mask no longer matters."""
        who.ipi_mask = 0

    @property
    def name(self) -> str:
        """The name that the kernel has for the handler."""
        return shown(type(getattr(self.handler, "__self__", None)), (self.handler.__name__,))[0]

    def __str__(self) -> str:
        return f"{'device interrupt' if self.device else 'IPI'} {self.name}"


@dataclass(frozen=True, slots=True)
class SendReschedule(Op):
    """smp_send_reschedule: an interrupt without a message and without an answer.

    A guest exits for it, and the HART looks whether to switch tasks.
    """

    cost: ClassVar[str] = "ipi_send"
    cpu: int

    def end(self, who: Runner) -> None:
        """Send it, if the HART is online; the driver lets it arrive."""
        hart = who.harts[self.cpu]
        if hart.online:
            hart.resched_ipi = 1

    def __str__(self) -> str:
        return f"reschedule hart{self.cpu}"


@dataclass(frozen=True, slots=True)
class SampleSgei(Op):
    """The level of a HART's SGEI wire may have changed: let it look."""

    cpu: int

    def mover(self, who: Runner) -> str:
        """Changes nothing."""
        return LEFT

    def __str__(self) -> str:
        return f"sgei hart{self.cpu}"
