"""Marking of usage: when a context sets the usage bits of a class, and what a new bit closes.

Acquisitions set bits, and so does enabling interrupts or BH, for everything that is held.  A new
bit can close the same class used both ways, or a path from a safe class to an unsafe one.
"""

from __future__ import annotations

from hgeisim.lockorder.graph.lock_class import Flavour, LockClass
from hgeisim.lockorder.graph.usage import BH_ON, HARDIRQ, IRQS_ON, LINES, Bit, acquired, enabled
from hgeisim.lockorder.rules.context import Context, Step
from hgeisim.lockorder.rules.dependency import inversion, tell_inversion
from hgeisim.lockorder.rules.viewpoint import View


def mark_acquired(scene: View, cls: LockClass, step: Step) -> None:
    """Set the bits of an acquisition."""
    for bit in acquired(step.how, step.state):
        _set(scene, cls, bit, step.how.flavour)


def mark_enabled(scene: View) -> None:
    """Set the bits of all that a context holds, when interrupts or BH were just enabled."""
    context = scene.context
    if context.chain.enabled >> context.state & 1:
        return
    context.chain.enabled |= 1 << context.state
    for line in LINES:
        for held in context.held:
            if held.cls.kind.checked:
                _enable(scene, line, held.cls, held.flavour)


def _enable(scene: View, line: str, cls: LockClass, flavour: Flavour) -> None:
    for bit in enabled(flavour, scene.context.state):
        if bit.line == line:
            _set(scene, cls, bit, flavour)


def _set(scene: View, cls: LockClass, bit: Bit, flavour: Flavour) -> None:
    usage, mark = scene.known.usage, scene.mark(cls, bit)
    if not usage.add(cls, mark):
        return
    earlier = usage.first(cls, bit.opponents())
    if earlier is not None:
        safe, unsafe = (mark, earlier) if bit.used_in else (earlier, mark)
        about = (cls.name, str(safe.bit), str(unsafe.bit))
        view = scene.class_view(cls)
        scene.tell("irq-usage", about, marks=(earlier, mark), wanted=view)
    found = inversion(scene.known.graph, usage, cls, mark, flavour)
    if found is not None:
        tell_inversion(scene, "irq-inversion", found)


def set_irqs(scene: View, on: bool) -> None:
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


def enable_bh(scene: View) -> None:
    """local_bh_enable()."""
    context = scene.context
    if not context.bh_disabled:
        _tell(scene, "BH enabled more often than disabled")
        return
    context.bh_disabled -= 1
    if not context.bh_disabled:
        context.mask(BH_ON, on=True)
        mark_enabled(scene)


def leave(scene: View, handler: int) -> None:
    """End a handler."""
    if not scene.context.leave(handler):
        _tell(scene, "left a handler that it is not in")


def _tell(scene: View, note: str) -> None:
    scene.tell("irq-state", (note, scene.function), notes=(note,))
