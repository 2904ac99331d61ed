"""The life of a lock in a context: taken, given back, pinned, asserted, initialised, freed.

Everything that goes onto the stack of held locks is judged, and everything that comes off it must
be there.  The rest are actions that need a lock to be held, or not to be.
"""

from __future__ import annotations

from collections.abc import Iterable

from hgeisim.lockorder.graph.lock_class import EXCLUSIVE, Flavour, How, Lock
from hgeisim.lockorder.rules.acquisition import judge, judge_wait
from hgeisim.lockorder.rules.context import Context, Held, Step
from hgeisim.lockorder.rules.viewpoint import View


def push(view: View, step: Step, pins: int = 0) -> None:
    """Take a lock: judge the step, unless its chain is known, and put it on the stack."""
    context = view.context
    chain = context.chain
    taken = chain.after.get(step) or chain.again.get(step)
    if taken is None:
        taken = judge(view, step)
        (chain.again if taken.atomic else chain.after)[step] = taken
    elif taken.atomic:
        # The context itself forbids this wait, so the report names the place: look at each place.
        judge_wait(view, taken)
    if taken.witness is not None:
        context.waits.add(taken)
    if not step.how.drain:  # a mere wait leaves nothing in its hands
        context.held.append(Held(taken, view.stack, pins))


def take(view: View, lock: Lock, how: How = EXCLUSIVE) -> None:
    """Take a lock in the interrupt state of now."""
    push(view, view.known.steps.of(lock, how, view.context.state))


def touch(view: View, lock: Lock, how: How = EXCLUSIVE) -> None:
    """Judge the context as if it took a lock and immediately gave it back (might_lock)."""
    take(view, lock, how)
    view.context.held.pop()


def release(view: View, lock: Lock, reader: bool) -> None:
    """Give a lock back, from wherever it is in the stack of this irq context."""
    place = _find(view, lock)
    if place is None:
        return
    held = view.context.held[place]
    if (held.flavour != Flavour.EXCLUSIVE) != reader:
        _report(view, "bad-unlock-mode", lock, f"held as {held.flavour.letter}")
    if held.pins:
        _report(view, "pinned-unlock", lock, "its holder relies on it being held")
    _rebuild(view, place, None, kept=True)


def downgrade(view: View, lock: Lock) -> None:
    """Turn a writer into a reader (downgrade_write)."""
    place = _find(view, lock)
    if place is None:
        return
    how = view.context.held[place].how
    if how.flavour != Flavour.EXCLUSIVE:
        _report(view, "bad-downgrade", lock, f"held as {how.flavour.letter}")
    _rebuild(view, place, how._replace(flavour=Flavour.SHARED), kept=True)


def reclass(view: View, lock: Lock, subclass: int) -> None:
    """Move a held lock to another subclass (lock_set_subclass)."""
    place = _find(view, lock)
    if place is not None:
        how = view.context.held[place].how
        _rebuild(view, place, how._replace(subclass=subclass), kept=False)


def _find(view: View, lock: Lock) -> int | None:
    """The place of an instance in the irq context of the top; report a lock that is not there."""
    held = view.context.held
    for place in reversed(range(len(held))):
        if held[place].irq != held[-1].irq:
            break
        if held[place].lock is lock:
            return place
    names = ", ".join(each.lock.name for each in held) or "no locks"
    _report(view, "bad-unlock", lock, f"{view.context.name} holds {names}")
    return None


def _rebuild(view: View, place: int, how: How | None, kept: bool) -> None:
    """Take an entry and all above it off the stack, and put them back: the entry in the way that
    `how` says, or not at all.

    Entries that are `kept` were never given up: nobody waits for them, but the lock that one nests
    in may be gone.  The others now have another class, or are inside one: they are judged as if it
    had always been so.
    """
    entry, *above = view.context.held[place:]
    del view.context.held[place:]
    back = [(held, held.how) for held in above]
    for held, new in [(entry, how), *back] if how else back:
        step = view.known.steps.of(held.lock, new, held.chain.step.state, kept)
        push(View(view.known, view.context, held.stack), step, held.pins)


def must_be_free(view: View, kind: str, lock: Lock, contexts: Iterable[Context]) -> None:
    """Report a lock that is initialised or freed while any context holds it; lockdep asks only the
    task that does it."""
    owners = [context.name for context in contexts if context.holding(lock)]
    if owners:
        _report(view, kind, lock, f"held by {', '.join(owners)}")


def must_hold_nothing(view: View, moment: str) -> None:
    """Report the locks that a task leaves behind when it exits or returns to user space."""
    if view.context.held:
        names = tuple(held.cls.name for held in view.context.held)
        view.report("held-at-exit", (moment, *names), notes=(moment,))


def must_hold(view: View, lock: Lock) -> None:
    """lockdep_assert_held()."""
    if view.context.holding(lock) is None:
        _report(view, "assert-held", lock, "not held here")


def must_not_hold(view: View, lock: Lock) -> None:
    """lockdep_assert_not_held()."""
    if view.context.holding(lock) is not None:
        _report(view, "assert-not-held", lock, "held here")


def pin(view: View, lock: Lock, change: int) -> None:
    """Pin a held lock (lockdep_pin_lock), or take a pin away."""
    held = view.context.holding(lock)
    if held is None or held.pins + change < 0:
        _report(view, "bad-pin", lock, "not held here" if held is None else "not pinned")
    else:
        held.pins += change


def _report(view: View, kind: str, lock: Lock, note: str) -> None:
    cls = view.known.classes.of(lock)
    about = (cls.name, view.function)
    view.report(kind, about, wanted=view.class_view(cls, lock), notes=(note,))
