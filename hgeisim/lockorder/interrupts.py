"""Interrupts and BH of a context: what enabling them means for what it holds."""

from __future__ import annotations

from hgeisim.lockorder.context import Context
from hgeisim.lockorder.irqstate import BH_ON, HARDIRQ, IRQS_ON
from hgeisim.lockorder.marking import mark_enabled
from hgeisim.lockorder.scene import Scene


def set_irqs(scene: Scene, on: bool) -> None:
    """Enable or disable hardirqs; all that is held is now held with them on."""
    context = scene.context
    was_on = bool(context.state & IRQS_ON)
    context.mask(IRQS_ON, on)
    if on and not was_on:
        if context.state & HARDIRQ:
            _tell(scene, "hardirqs enabled inside a hardirq handler")
        mark_enabled(scene)


def disable_bh(context: Context) -> None:
    """local_bh_disable(): it counts."""
    context.bh_disabled += 1
    context.mask(BH_ON, on=False)


def enable_bh(scene: Scene) -> None:
    """local_bh_enable()."""
    context = scene.context
    if not context.bh_disabled:
        _tell(scene, "BH enabled more often than disabled")
        return
    context.bh_disabled -= 1
    if not context.bh_disabled:
        context.mask(BH_ON, on=True)
        mark_enabled(scene)


def leave(scene: Scene, handler: int) -> None:
    """End a handler."""
    if not scene.context.leave(handler):
        _tell(scene, "left a handler that it is not in")


def _tell(scene: Scene, note: str) -> None:
    scene.tell("irq-state", (note, scene.function), notes=(note,))
