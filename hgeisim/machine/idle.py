"""An idle HART: it goes to the idle task, and may lose its power for a while."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hgeisim.machine.ops import BOUNDARY, Irq, Op
from hgeisim.machine.task import Runner


@dataclass(frozen=True, slots=True)
class GoIdle(Irq):
    """local_irq_disable of the idle task (do_idle), which has its HART only while no other task
    wants it.  The driver says when that is.

    It moves nowhere: once somebody else wants the HART, it cannot be made any more.
    """

    scheduling: ClassVar[bool] = True

    def mover(self, who: Runner) -> str:
        """Others can keep it from happening."""
        return BOUNDARY

    def __str__(self) -> str:
        return "go idle"


@dataclass(frozen=True, slots=True)
class PowerDown(Op):
    """A HART enters an idle state without retention, and has its power back when it is over.

    An interrupt that is pending when it enters keeps the power on.
    """

    def end(self, who: Runner) -> None:
        """Lose the registers."""
        hart = who.hart
        if not (hart.call_queue or hart.resched_ipi or hart.sgei_pending()):
            hart.lose_power()

    def __str__(self) -> str:
        return "power down"


@dataclass(frozen=True, slots=True)
class Pause(Op):
    """A task is outside of the kernel, where it computes or sleeps, for as long as it likes."""

    def __str__(self) -> str:
        return "pause"


GO_IDLE, POWER_DOWN, PAUSE = GoIdle(True), PowerDown(), Pause()
