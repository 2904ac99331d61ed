"""One acquisition and what is wrong with it, in the order in which lockdep looks.

That is: waits, usage, nesting, recursion, then each new dependency.  Nothing is refused: what is
wrong is reported and kept.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from hgeisim.lockorder.graph.dependency_graph import Arc, Witness, kind_of
from hgeisim.lockorder.graph.lock_class import SUBCLASSES, Flavour
from hgeisim.lockorder.graph.usage import IN_IRQ, IRQS_ON
from hgeisim.lockorder.rules import wait_context as waits
from hgeisim.lockorder.rules.context import Chain, Held, Step
from hgeisim.lockorder.rules.dependency import depend
from hgeisim.lockorder.rules.usage_marks import mark_acquired
from hgeisim.lockorder.rules.viewpoint import View

DEPTH_MAX = 48
"""MAX_LOCK_DEPTH: with so many locks in one task's hands the kernel's lockdep gives up."""


def judge(scene: View, step: Step) -> Chain:
    """Judge an acquisition before it is made; the chain that it leads to need not be again."""
    cls = scene.known.classes.of(step.lock, step.how.subclass)
    chain = Chain(step, cls, scene.stack, scene.context.chain)
    if step.kept:
        _nest_is_held(scene, chain)
        return chain
    _limits(scene, chain)
    judge_wait(scene, chain)
    if chain.cls.kind.checked:
        mark_acquired(scene, chain.cls, step)
    _nest_is_held(scene, chain)
    if chain.cls.kind.checked and not step.how.trylock:
        chain.witness = _witness(scene, step)
        nested = _recursion(scene, chain)
        _depend_on_held(scene, chain, chain.witness, nested)
        _answer_no_ipi(scene, chain, chain.witness)
    return chain


def _limits(scene: View, chain: Chain) -> None:
    """Where the kernel's lockdep would switch itself off for the rest of the boot."""
    how = chain.step.how
    if how.subclass >= SUBCLASSES:
        note = f"subclass {how.subclass} is beyond 0..{SUBCLASSES - 1}"
        scene.tell("limit", ("subclass", chain.cls.name), notes=(note,))
    if not how.drain and _depth([*(held.chain for held in scene.context.held), chain]) >= DEPTH_MAX:
        note = f"{DEPTH_MAX} locks held, as many as lockdep follows (MAX_LOCK_DEPTH)"
        scene.tell("limit", ("depth", scene.function), notes=(note,))


def _depth(chains: list[Chain]) -> int:
    """How many entries lockdep makes of them: nested locks of a class in a row are one."""
    merged = [new.step.how.nest and new.cls is old.cls for old, new in pairwise(chains)]
    return len(chains) - sum(map(bool, merged))


def judge_wait(scene: View, chain: Chain) -> None:
    """Whether it may wait so long here.  A lock that forbids it is told with the class, once; the
    state of the context is with the place."""
    step, config = chain.step, scene.known.config
    needed = waits.needed(config, step.lock.kind, step.how)
    inside = scene.context.held_in(step.state & IN_IRQ)
    limit = waits.allowed(config, step.state, [held.cls for held in inside[::-1]])
    if needed > limit.level:
        note = f"needs {needed.name.lower()}, {limit.by} allows {limit.level.name.lower()}"
        wanted = scene.wanted_view(step.lock, chain.cls, step.how)
        culprits = [scene.hold_view(held.hold) for held in inside if held.cls.name == limit.by]
        chain.atomic = not limit.lock
        scene.tell(
            "wait-context",
            (chain.cls.name, limit.by, *([scene.place] if chain.atomic else [])),
            wanted=wanted,
            holding=culprits[-1] if culprits else None,
            notes=(note,),
        )


def _nest_is_held(scene: View, chain: Chain) -> None:
    nest = chain.step.how.nest
    if nest is not None and all(held.lock is not nest for held in scene.context.held):
        wanted = scene.wanted_view(chain.step.lock, chain.cls, chain.step.how)
        about = (chain.cls.name, nest.key or nest.name)
        scene.tell("nest-not-held", about, wanted=wanted, notes=(f"{nest.name} is not held",))


def _witness(scene: View, step: Step) -> Witness:
    """Who waits here: a handler can interrupt any task, so it may be anybody."""
    name = "" if step.state & IN_IRQ else scene.context.name
    holds = tuple(held.hold for held in scene.context.held)
    return Witness(name, step.lock, step.how.flavour, holds, scene.stack, step.how.drain)


def _recursion(scene: View, chain: Chain) -> bool:
    """Report a class that is held already; tell whether a nest lock makes that right."""
    nest_met = False
    for held in scene.context.held:
        nest_met = nest_met or held.lock is chain.step.how.nest
        if held.cls is not chain.cls or _in_order(held, chain):
            continue
        if nest_met and held.lock is not chain.step.lock:
            return True
        _tell_recursion(scene, chain, held)
        return False
    return False


def _in_order(held: Held, chain: Chain) -> bool:
    """Whether a lock may be taken inside another one of its class."""
    lock, flavour = chain.step.lock, chain.step.how.flavour
    if flavour == Flavour.RECURSIVE and held.flavour != Flavour.EXCLUSIVE:
        return True
    if held.lock.rank is None or lock.rank is None:
        return False
    return held.lock.rank < lock.rank


def _tell_recursion(scene: View, chain: Chain, held: Held) -> None:
    step = chain.step
    wanted, holding = scene.wanted_view(step.lock, chain.cls, step.how), scene.hold_view(held.hold)
    same = held.lock is step.lock
    scene.tell(
        "recursion",
        (chain.cls.name, holding.mode, wanted.mode),
        wanted=wanted,
        holding=holding,
        notes=("the same instance",) if same else ("missing nesting annotation?",),
    )


def _depend_on_held(scene: View, chain: Chain, witness: Witness, nested: bool) -> None:
    """Depend on everything that is held in this irq context, not only on the nearest.

    Stopping at the nearest, as check_prevs_add() of Linux 6.12 does, loses what lies behind a
    recursive reader: that one blocks nobody, so no strong path leads through it.
    """
    for held in scene.context.held_in(chain.step.state & IN_IRQ):
        if held.cls.kind.checked:
            edge = scene.known.graph.edge(held.cls, chain.cls)
            kind = kind_of(held.flavour, chain.step.how.flavour)
            new = Arc(edge, kind, replace(witness, owner=held.hold))
            depend(scene, new, quiet=nested or held.cls is chain.cls)


def _answer_no_ipi(scene: View, chain: Chain, witness: Witness) -> None:
    """Who spins with interrupts off answers no IPI before it has the lock."""
    step, ipi = chain.step, scene.known.ipi
    if not step.state & IRQS_ON and not step.how.drain:
        edge = scene.known.graph.edge(scene.known.classes.of(ipi), chain.cls)
        depend(scene, Arc(edge, kind_of(Flavour.EXCLUSIVE, step.how.flavour), witness))
