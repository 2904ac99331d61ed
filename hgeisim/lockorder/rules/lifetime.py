"""The life of a lock in a context: taken, given back, pinned, asserted, initialised, freed.

Whatever is pushed on the stack of held locks is judged; whatever is taken out must be there.  The
rest is what a context must not do to a lock that is held, or not held.
"""

from __future__ import annotations

from collections.abc import Iterable

from hgeisim.lockorder.graph.lock_class import EXCLUSIVE, Flavour, How, Lock
from hgeisim.lockorder.rules.acquisition import judge, judge_wait
from hgeisim.lockorder.rules.context import Context, Held, Step
from hgeisim.lockorder.rules.viewpoint import View


def push(scene: View, step: Step, pins: int = 0) -> None:
    """Take a lock."""
    context = scene.context
    chain = context.chain
    taken = chain.after.get(step) or chain.again.get(step)
    if taken is None:
        taken = judge(scene, step)
        (chain.again if taken.atomic else chain.after)[step] = taken
    elif taken.atomic:
        judge_wait(scene, taken)
    if taken.witness is not None:
        context.waits.add(taken)
    if not step.how.drain:
        context.held.append(Held(taken, scene.stack, pins))


def take(scene: View, lock: Lock, how: How = EXCLUSIVE) -> None:
    """Take a lock in the interrupt state of now."""
    push(scene, scene.known.steps.of(lock, how, scene.context.state))


def touch(scene: View, lock: Lock, how: How = EXCLUSIVE) -> None:
    """Be judged as one who takes a lock and gives it back at once (might_lock)."""
    take(scene, lock, how)
    scene.context.held.pop()


def release(scene: View, lock: Lock, reader: bool) -> None:
    """Give a lock back, from wherever it is in the stack of this irq context."""
    place = _place(scene, lock)
    if place is None:
        _tell_unlock(scene, "bad-unlock", lock, _owners(scene, lock))
        return
    held = scene.context.held[place]
    if (held.flavour != Flavour.EXCLUSIVE) != reader:
        _tell_unlock(scene, "bad-unlock-mode", lock, f"held as {held.flavour.letter}")
    if held.pins:
        _tell_unlock(scene, "pinned-unlock", lock, "its holder relies on it being held")
    _, *above = _cut(scene, place)
    _keep_all(scene, above)


def downgrade(scene: View, lock: Lock) -> None:
    """Turn a writer into a reader (downgrade_write)."""
    place = _place(scene, lock)
    if place is None:
        _tell_unlock(scene, "bad-unlock", lock, _owners(scene, lock))
        return
    how = scene.context.held[place].how
    if how.flavour != Flavour.EXCLUSIVE:
        _tell_unlock(scene, "bad-downgrade", lock, f"held as {how.flavour.letter}")
    changed, *above = _cut(scene, place)
    _keep(scene, changed, how._replace(flavour=Flavour.SHARED))
    _keep_all(scene, above)


def reclass(scene: View, lock: Lock, subclass: int) -> None:
    """Move a held lock to another subclass (lock_set_subclass)."""
    place = _place(scene, lock)
    if place is None:
        _tell_unlock(scene, "bad-unlock", lock, _owners(scene, lock))
        return
    changed, *above = _cut(scene, place)
    _retake(scene, changed, changed.how._replace(subclass=subclass))
    for held in above:
        _retake(scene, held, held.how)


def _place(scene: View, lock: Lock) -> int | None:
    """Where an instance is: on top, or below in the irq context of the top."""
    held = scene.context.held
    for place in reversed(range(len(held))):
        if held[place].irq != held[-1].irq:
            return None
        if held[place].lock is lock:
            return place
    return None


def _cut(scene: View, place: int) -> list[Held]:
    """Take an entry and all above it from the stack."""
    held = scene.context.held
    cut = held[place:]
    del held[place:]
    return cut


def _keep_all(scene: View, above: list[Held]) -> None:
    for held in above:
        _keep(scene, held, held.how)


def _keep(scene: View, held: Held, how: How) -> None:
    """Put back what was never given up: nobody waits for it, but what it nests in may be gone."""
    _put(scene, held, how, kept=True)


def _retake(scene: View, held: Held, how: How) -> None:
    """Put back what is now of another class, or inside one: as if it had always been so."""
    _put(scene, held, how, kept=False)


def _put(scene: View, held: Held, how: How, kept: bool) -> None:
    step = scene.known.steps.of(held.lock, how, held.chain.step.state, kept)
    push(View(scene.known, scene.context, held.stack), step, held.pins)


def _owners(scene: View, lock: Lock) -> str:
    held = ", ".join(each.lock.name for each in scene.context.held)
    return f"{scene.context.name} holds {held or 'no locks'}"


def _tell_unlock(scene: View, kind: str, lock: Lock, note: str) -> None:
    cls = scene.known.classes.of(lock)
    view = scene.class_view(cls, lock)
    scene.tell(kind, (cls.name, scene.function), wanted=view, notes=(note,))


def must_be_free(scene: View, kind: str, lock: Lock, contexts: Iterable[Context]) -> None:
    """Nobody holds what is initialised or freed; lockdep asks only the task that does it."""
    owners = [context.name for context in contexts if context.holding(lock)]
    if owners:
        _tell(scene, kind, lock, f"held by {', '.join(owners)}")


def must_hold_nothing(scene: View, moment: str) -> None:
    """A task that exits, or returns to user space, leaves no lock behind."""
    if scene.context.held:
        names = tuple(held.cls.name for held in scene.context.held)
        scene.tell("held-at-exit", (moment, *names), notes=(moment,))


def must_hold(scene: View, lock: Lock) -> None:
    """lockdep_assert_held()."""
    if scene.context.holding(lock) is None:
        _tell(scene, "assert-held", lock, "not held here")


def must_not_hold(scene: View, lock: Lock) -> None:
    """lockdep_assert_not_held()."""
    if scene.context.holding(lock) is not None:
        _tell(scene, "assert-not-held", lock, "held here")


def pin(scene: View, lock: Lock, change: int) -> None:
    """Pin a held lock (lockdep_pin_lock), or take a pin away."""
    held = scene.context.holding(lock)
    if held is None or held.pins + change < 0:
        _tell(scene, "bad-pin", lock, "not held here" if held is None else "not pinned")
    else:
        held.pins += change


def _tell(scene: View, kind: str, lock: Lock, note: str) -> None:
    cls = scene.known.classes.of(lock)
    about = (cls.name, scene.function)
    scene.tell(kind, about, wanted=scene.class_view(cls, lock), notes=(note,))
