"""The judgement of one acquisition, rule by rule, in the order in which lockdep looks.

That is: waits, usage, nesting, recursion, then each new dependency.  Nothing is refused: a
violation is reported, and the lock is held nonetheless.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from hgeisim.lockorder.graph.dependency_graph import Arc, Witness, kind_of
from hgeisim.lockorder.graph.lock_class import SUBCLASSES, Flavour
from hgeisim.lockorder.graph.usage import IN_IRQ, IRQS_ON
from hgeisim.lockorder.rules.context import Chain, Held, Step
from hgeisim.lockorder.rules.dependency import depend
from hgeisim.lockorder.rules.usage_marks import mark_acquired
from hgeisim.lockorder.rules.viewpoint import View
from hgeisim.lockorder.rules.wait_context import allowed, needed

DEPTH_MAX = 48
"""MAX_LOCK_DEPTH: when one task holds this many locks, the kernel's lockdep gives up."""


def judge(view: View, step: Step) -> Chain:
    """Judge an acquisition before it is made; the chain that it leads to need not be judged again.

    A `kept` step acquires nothing anew, so only its nesting can be wrong.
    """
    cls = view.known.classes.of(step.lock, step.how.subclass)
    chain = Chain(step, cls, view.stack, view.context.chain)
    if step.kept:
        _nest_is_held(view, chain)
        return chain
    _limits(view, chain)
    judge_wait(view, chain)
    if chain.cls.kind.checked:
        mark_acquired(view, chain.cls, step)
    _nest_is_held(view, chain)
    # A trylock waits for nobody: it can be waited for, but ends no dependency.
    if chain.cls.kind.checked and not step.how.trylock:
        # A handler can interrupt any task, so its witness has no name: it may be anybody.
        name = "" if step.state & IN_IRQ else view.context.name
        holds = tuple(held.hold for held in view.context.held)
        how = step.how
        chain.witness = Witness(name, step.lock, how.flavour, holds, view.stack, how.drain)
        nested = _recursion(view, chain)
        _depend_on_held(view, chain, chain.witness, nested)
        _answer_no_ipi(view, chain, chain.witness)
    return chain


def _limits(view: View, chain: Chain) -> None:
    """Report where the kernel's lockdep would switch itself off for the rest of the boot."""
    how = chain.step.how
    if how.subclass >= SUBCLASSES:
        note = f"subclass {how.subclass} is beyond 0..{SUBCLASSES - 1}"
        view.report("limit", ("subclass", chain.cls.name), notes=(note,))
    if not how.drain and _depth([*(held.chain for held in view.context.held), chain]) >= DEPTH_MAX:
        note = f"{DEPTH_MAX} locks held, as many as lockdep follows (MAX_LOCK_DEPTH)"
        view.report("limit", ("depth", view.function), notes=(note,))


def _depth(chains: list[Chain]) -> int:
    """The number of entries that lockdep makes: nested locks of one class in a row share one."""
    merged = [new.step.how.nest and new.cls is old.cls for old, new in pairwise(chains)]
    return len(chains) - sum(map(bool, merged))


def judge_wait(view: View, chain: Chain) -> None:
    """Report an acquisition that may wait longer than its place allows.

    When a lock forbids the wait, the id names its class, and one report is enough.  When the state
    of the context forbids it, the id names the place.
    """
    step, config = chain.step, view.known.config
    need = needed(config, step.lock.kind, step.how)
    inside = view.context.held_in(step.state & IN_IRQ)
    limit = allowed(config, step.state, [held.cls for held in inside[::-1]])
    if need > limit.level:
        note = f"needs {need.name.lower()}, {limit.by} allows {limit.level.name.lower()}"
        culprits = [view.hold_view(held.hold) for held in inside if held.cls.name == limit.by]
        chain.atomic = not limit.lock
        view.report(
            "wait-context",
            (chain.cls.name, limit.by, *([view.place] if chain.atomic else [])),
            wanted=view.wanted_view(step.lock, chain.cls, step.how),
            holding=culprits[-1] if culprits else None,
            notes=(note,),
        )


def _nest_is_held(view: View, chain: Chain) -> None:
    nest = chain.step.how.nest
    if nest is not None and all(held.lock is not nest for held in view.context.held):
        wanted = view.wanted_view(chain.step.lock, chain.cls, chain.step.how)
        about = (chain.cls.name, nest.key or nest.name)
        view.report("nest-not-held", about, wanted=wanted, notes=(f"{nest.name} is not held",))


def _recursion(view: View, chain: Chain) -> bool:
    """Report a class that is already held; True: a nest lock makes that right."""
    step, nest_met = chain.step, False
    for held in view.context.held:
        nest_met = nest_met or held.lock is step.how.nest
        if held.cls is not chain.cls or _in_order(held, chain):
            continue
        if nest_met and held.lock is not step.lock:
            return True
        holding = view.hold_view(held.hold)
        wanted = view.wanted_view(step.lock, chain.cls, step.how)
        note = "the same instance" if held.lock is step.lock else "missing nesting annotation?"
        about = (chain.cls.name, holding.mode, wanted.mode)
        view.report("recursion", about, wanted=wanted, holding=holding, notes=(note,))
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


def _depend_on_held(view: View, chain: Chain, witness: Witness, nested: bool) -> None:
    """Depend on everything that is held in this irq context, not only on the nearest.

    Stopping at the nearest, as check_prevs_add() of Linux 6.12 does, loses what lies behind a
    recursive reader: that one blocks nobody, so no strong path leads through it.
    """
    for held in view.context.held_in(chain.step.state & IN_IRQ):
        if held.cls.kind.checked:
            edge = view.known.graph.edge(held.cls, chain.cls)
            kind = kind_of(held.flavour, chain.step.how.flavour)
            new = Arc(edge, kind, replace(witness, owner=held.hold))
            depend(view, new, quiet=nested or held.cls is chain.cls)


def _answer_no_ipi(view: View, chain: Chain, witness: Witness) -> None:
    """Make IPIs depend on a lock that is waited for with interrupts off: until the context has it,
    it answers none."""
    step, ipi = chain.step, view.known.ipi
    if not step.state & IRQS_ON and not step.how.drain:
        edge = view.known.graph.edge(view.known.classes.of(ipi), chain.cls)
        depend(view, Arc(edge, kind_of(Flavour.EXCLUSIVE, step.how.flavour), witness))
