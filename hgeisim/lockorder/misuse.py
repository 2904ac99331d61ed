"""What a context must not do to a lock that is held, or not held: lifetime, pins, assertions."""

from __future__ import annotations

from collections.abc import Iterable

from hgeisim.lockorder.classes import Lock
from hgeisim.lockorder.context import Context
from hgeisim.lockorder.scene import Scene


def must_be_free(scene: Scene, kind: str, lock: Lock, contexts: Iterable[Context]) -> None:
    """Nobody holds what is initialised or freed; lockdep asks only the task that does it."""
    owners = [context.name for context in contexts if context.holding(lock)]
    if owners:
        _tell(scene, kind, lock, f"held by {', '.join(owners)}")


def must_hold_nothing(scene: Scene, moment: str) -> None:
    """A task that exits, or returns to user space, leaves no lock behind."""
    if scene.context.held:
        names = tuple(held.cls.name for held in scene.context.held)
        scene.tell("held-at-exit", (moment, *names), notes=(moment,))


def must_hold(scene: Scene, lock: Lock) -> None:
    """lockdep_assert_held()."""
    if scene.context.holding(lock) is None:
        _tell(scene, "assert-held", lock, "not held here")


def must_not_hold(scene: Scene, lock: Lock) -> None:
    """lockdep_assert_not_held()."""
    if scene.context.holding(lock) is not None:
        _tell(scene, "assert-not-held", lock, "held here")


def pin(scene: Scene, lock: Lock, change: int) -> None:
    """Pin a held lock (lockdep_pin_lock), or take a pin away."""
    held = scene.context.holding(lock)
    if held is None or held.pins + change < 0:
        _tell(scene, "bad-pin", lock, "not held here" if held is None else "not pinned")
    else:
        held.pins += change


def _tell(scene: Scene, kind: str, lock: Lock, note: str) -> None:
    cls = scene.known.classes.of(lock)
    about = (cls.name, scene.function)
    scene.tell(kind, about, wanted=scene.class_view(cls, lock), notes=(note,))
