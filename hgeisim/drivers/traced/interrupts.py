"""Events in interrupts: SGEI with its kicks, and the sweep of a VS-file in an IPI."""

from __future__ import annotations

from collections.abc import Iterator

from hgeisim.drivers.traced.calls import sgei_call
from hgeisim.drivers.traced.follower import Follower
from hgeisim.drivers.traced.hypothesis import Hypothesis, sgei_actor
from hgeisim.drivers.traced.middle import is_unknown
from hgeisim.drivers.traced.order import before
from hgeisim.drivers.traced.probe import hgei
from hgeisim.drivers.traced.shown import show_armed
from hgeisim.trace import meaning as kvm
from hgeisim.trace.interval import Event


def sgei(follower: Follower, h: Hypothesis, event: Event) -> Iterator[Hypothesis]:
    """A HART takes an SGEI: only for lines that it has, and that are enabled."""
    assert isinstance(event.meaning, kvm.Sgei), "the handler of SGEI"
    cpu = event.record.cpu
    for each in before(h, hgei(cpu)):
        if wrong := list(show_armed(each, event)):
            follower.fail(each, "; ".join(wrong))
            continue
        context = sgei_call(each, cpu, event.meaning.mask)
        each.contexts[sgei_actor(cpu)] = context
        each.advance(sgei_actor(cpu))
        context.told = True
        yield each


def kick(follower: Follower, h: Hypothesis, event: Event) -> Iterator[Hypothesis]:
    """A kick on a CPU whose SGEI handler is not over is one of the handler's, if it has any."""
    actor = sgei_actor(event.record.cpu)
    if actor not in h.contexts:
        follower.compared = False
        yield h
        return
    for each in follower.reach(h, actor):
        if each.contexts[actor].done:
            del each.contexts[actor]
            yield each
        else:
            yield from follower.agree(each, actor, event)


def sweep(follower: Follower, h: Hypothesis, event: Event) -> Iterator[Hypothesis]:
    """A VS-file is read and cleared, in an IPI from whoever takes it from its owner."""
    assert isinstance(event.meaning, kvm.Sweep), "the handler of lread"
    owner = h.owner(event.record.cpu, event.meaning.line)
    senders = [
        actor
        for actor, context in h.contexts.items()
        if not context.done and owner and context.vcpu in (0, owner.id)
    ]
    if owner and is_unknown(h, owner):
        yield h
    elif not senders:
        follower.fail(h, "nobody takes this VS-file away")
    for actor in senders:
        for each in follower.arrive(h.fork(), event, actor):
            yield from follower.agree(each, actor, event)
