"""Usage marks: when a context sets the usage bits of a class, and what a new bit closes.

Acquisitions set bits, and so does enabling interrupts or BH, for everything that is held.  A new
bit can show that one class is used both ways, or close a path from a safe class to an unsafe one.
"""

from __future__ import annotations

from hgeisim.lockorder.graph.lock_class import Flavour, LockClass
from hgeisim.lockorder.graph.usage import BH_ON, HARDIRQ, IRQS_ON, LINES, Bit, acquired, enabled
from hgeisim.lockorder.rules.context import Context, Step
from hgeisim.lockorder.rules.dependency import inversion, report_inversion
from hgeisim.lockorder.rules.viewpoint import View


def mark_acquired(view: View, cls: LockClass, step: Step) -> None:
    """Set the bits of an acquisition."""
    for bit in acquired(step.how, step.state):
        _set(view, cls, bit, step.how.flavour)


def mark_enabled(view: View) -> None:
    """Set the bits of all that a context holds, when interrupts or BH were just enabled."""
    context = view.context
    if context.chain.enabled >> context.state & 1:
        return
    context.chain.enabled |= 1 << context.state
    new = [
        (held, bit)
        for held in context.held
        if held.cls.kind.checked
        for bit in enabled(held.flavour, context.state)
    ]
    # As in lockdep, hardirqs are marked for all locks before softirqs for any.
    for held, bit in sorted(new, key=lambda each: LINES.index(each[1].line)):
        _set(view, held.cls, bit, held.flavour)


def _set(view: View, cls: LockClass, bit: Bit, flavour: Flavour) -> None:
    usage, mark = view.known.usage, view.mark(cls, bit)
    if not usage.add(cls, mark):
        return
    earlier = usage.first(cls, bit.opponents())
    if earlier is not None:
        safe, unsafe = (mark, earlier) if bit.used_in else (earlier, mark)
        about = (cls.name, str(safe.bit), str(unsafe.bit))
        view.report("irq-usage", about, marks=(earlier, mark), wanted=view.class_view(cls))
    found = inversion(view.known.graph, usage, cls, mark, flavour)
    if found is not None:
        report_inversion(view, "irq-inversion", found)


def set_irqs(view: View, on: bool) -> None:
    """Enable or disable hardirqs; all that is held is now held with them on."""
    context = view.context
    was_on = bool(context.state & IRQS_ON)
    context.mask(IRQS_ON, on)
    if on and not was_on:
        if context.state & HARDIRQ:
            _report(view, "hardirqs enabled inside a hardirq handler")
        mark_enabled(view)


def disable_bh(context: Context) -> None:
    """local_bh_disable(): calls nest."""
    context.bh_disabled += 1
    context.mask(BH_ON, on=False)


def enable_bh(view: View) -> None:
    """local_bh_enable()."""
    context = view.context
    if not context.bh_disabled:
        _report(view, "BH enabled more often than disabled")
        return
    context.bh_disabled -= 1
    if not context.bh_disabled:
        context.mask(BH_ON, on=True)
        mark_enabled(view)


def leave(view: View, handler: int) -> None:
    """End a handler."""
    if not view.context.leave(handler):
        _report(view, "left a handler that it is not in")


def _report(view: View, note: str) -> None:
    view.report("irq-state", (note, view.function), notes=(note,))
