"""When usage bits are set, and what a new one closes: the same class used both ways, or a path."""

from __future__ import annotations

from hgeisim.lockorder.chains import Step
from hgeisim.lockorder.classes import Flavour, LockClass
from hgeisim.lockorder.dependencies import tell_inversion
from hgeisim.lockorder.irqs import inversion
from hgeisim.lockorder.scene import Scene
from hgeisim.lockorder.usage import LINES, Bit, acquired, enabled


def mark_acquired(scene: Scene, cls: LockClass, step: Step) -> None:
    """Set the bits of an acquisition."""
    for bit in acquired(step.how, step.state):
        _set(scene, cls, bit, step.how.flavour)


def mark_enabled(scene: Scene) -> None:
    """Set the bits of all that a context holds, when interrupts or BH were just enabled."""
    context = scene.context
    if context.chain.enabled >> context.state & 1:
        return
    context.chain.enabled |= 1 << context.state
    for line in LINES:
        for held in context.held:
            if held.cls.kind.checked:
                _enable(scene, line, held.cls, held.flavour)


def _enable(scene: Scene, line: str, cls: LockClass, flavour: Flavour) -> None:
    for bit in enabled(flavour, scene.context.state):
        if bit.line == line:
            _set(scene, cls, bit, flavour)


def _set(scene: Scene, cls: LockClass, bit: Bit, flavour: Flavour) -> None:
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
