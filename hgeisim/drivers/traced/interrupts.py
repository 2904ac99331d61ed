"""Events in interrupts: SGEI with its kicks, and the sweep of a VS-file in an IPI."""

from __future__ import annotations

from collections.abc import Iterator

from hgeisim.drivers.traced.calls import RELEASE, UPDATE, sgei_call
from hgeisim.drivers.traced.context import DISABLE, Context
from hgeisim.drivers.traced.follower import Follower
from hgeisim.drivers.traced.hypothesis import Hypothesis, sgei_actor
from hgeisim.drivers.traced.middle import is_unheard, is_unknown
from hgeisim.drivers.traced.order import before
from hgeisim.drivers.traced.probe import hgei
from hgeisim.drivers.traced.shown import show_armed
from hgeisim.errors import ModelError
from hgeisim.kernel.structs import Vcpu
from hgeisim.trace import meaning as kvm
from hgeisim.trace.interval import Event

SWEEPING = (UPDATE, RELEASE, DISABLE)
"""Calls that read a VS-file which they took under vsfile_lock, whoever has the line by then."""


def sgei(follower: Follower, h: Hypothesis, event: Event) -> Iterator[Hypothesis]:
    """A HART takes an SGEI: only for lines that it has, and that are enabled."""
    if not isinstance(event.meaning, kvm.Sgei):
        raise ModelError("the handler of SGEI got another event")
    cpu = event.record.cpu
    for each in before(h, hgei(cpu)):
        if wrong := list(show_armed(each, event)):
            follower.fail(each, "; ".join(wrong))
            continue
        context = sgei_call(each, cpu, event.meaning.mask)
        each.contexts[sgei_actor(cpu)] = context
        each.advance(sgei_actor(cpu))
        context.told, context.depth = True, preempt_depth(event)
        yield each


def kick(follower: Follower, h: Hypothesis, event: Event) -> Iterator[Hypothesis]:
    """A kick on a CPU whose SGEI handler is not over is one of the handler's, if it has any."""
    actor = sgei_actor(event.record.cpu)
    if actor not in h.contexts:
        follower.compared = False
        note_kick(h, event, of_sgei=False)
        yield h
        return
    for each in follower.reach(h, actor):
        context = each.contexts[actor]
        if not context.done:
            for agreeing in follower.agree(each, actor, event):
                note_kick(agreeing, event, of_sgei=True)
                yield agreeing
        elif preempt_depth(event) > context.depth:
            follower.fail(each, "is under hgctrl->lock, the model has kicked all owners", context)
        else:
            del each.contexts[actor]
            note_kick(each, event, of_sgei=False)
            yield each


def note_kick(h: Hypothesis, event: Event, *, of_sgei: bool) -> None:
    """A vCPU is kicked, which may be in kvm_vcpu_block: by the handler of an SGEI, or not."""
    if not isinstance(event.meaning, kvm.Kick):
        raise ModelError("the handler of kick got another event")
    h.install()
    vcpu = h.world.vcpus[event.meaning.vcpu]
    if of_sgei:
        h.sleepers.called(vcpu, event)
    else:
        h.sleepers.kicked(vcpu, h.injects.pop(event.thread, 0) == vcpu.id)


def takes(context: Context, owner: Vcpu | None) -> bool:
    """Whether a call may be about the VS-file of a line; without an owner: any that sweeps one."""
    if owner is None:
        return context.function in SWEEPING
    return context.vcpu in (0, owner.id)


def preempt_depth(event: Event) -> int:
    """How often preemption is off, 0 where the flags do not tell.

    They are irqs-off, need-resched, hardirq/softirq, depth; `f` stands for what cannot be told.
    """
    depth = event.record.flags[3:4]
    return int(depth) if depth.isdecimal() else 0


def sweep(follower: Follower, h: Hypothesis, event: Event) -> Iterator[Hypothesis]:
    """A VS-file is read and cleared, in an IPI from whoever takes it from its owner; or from
    whoever has taken it as well, after the first one has freed the line.
    """
    if not isinstance(event.meaning, kvm.Sweep):
        raise ModelError("the handler of lread got another event")
    owner = h.owner(event.record.cpu, event.meaning.line)
    senders = [
        actor for actor, context in h.contexts.items() if not context.done and takes(context, owner)
    ]
    if owner and is_unknown(h, owner):
        yield h
        return
    agreeing = [
        after
        for actor in senders
        for each in follower.arrive(h.fork(), event, actor)
        for after in follower.agree(each, actor, event)
    ]
    if owner and not agreeing and is_unheard(h, owner):
        yield h
    elif not senders:
        follower.fail(h, "nobody takes this VS-file away")
    yield from agreeing
