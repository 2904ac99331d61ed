"""Events about guests that are more than a probe of their thread's own call.

Of a vCPU around its guest: entry, blocking, load and put, and MSIs for it.  In interrupts: SGEI
with its kicks, and the sweep of a VS-file in an IPI.
"""

from __future__ import annotations

from collections.abc import Iterator

from hgeisim.drivers.traced.call_starts import PREEMPTION_OFF, RELEASE, UPDATE, sgei_call, update
from hgeisim.drivers.traced.interleavings import Follower, at_probe, before, named_now
from hgeisim.drivers.traced.observed_state import (
    is_of_before,
    is_unheard,
    is_unknown,
    show_armed,
    show_disarmed,
    show_mode,
)
from hgeisim.drivers.traced.possible_state import Hypothesis, sgei_actor
from hgeisim.drivers.traced.probed_call import DISABLE, Context, hgei, vsfile
from hgeisim.errors import ModelError
from hgeisim.kernel.structs import EMUL, HWACCEL, Vcpu
from hgeisim.trace import kvm_event as kvm
from hgeisim.trace.interval import Event


def run(follower: Follower, h: Hypothesis, event: Event) -> Iterator[Hypothesis]:
    """A guest is about to be entered, with VGEIN as imsic_update left it.

    Pending requests are looked at after this event: what follows may be another update instead.
    """
    if not isinstance(event.meaning, kvm.Run):
        raise ModelError("the handler of run got another event")
    actor = event.thread
    show_mode(h, h.contexts.get(actor), event.meaning)
    for each in follower.arrive(h, event, actor):
        context = each.contexts.get(actor)
        if context is not None and context.function == UPDATE and not has_failed(each, context):
            yield from enter(follower, each, event)
        elif is_of_before(each, actor):
            each.begun.add(actor)
            yield each
        else:
            _begin_update(each, event)
            for started in follower.arrive(each, event, actor):
                yield from enter(follower, started, event)


def has_failed(h: Hypothesis, context: Context) -> bool:
    """Whether an update left KVM_RUN for want of a line, in HWACCEL, and another one may come."""
    return context.done and context.result == 0 and h.modes.get(context.vcpu) == HWACCEL


def _begin_update(h: Hypothesis, event: Event) -> None:
    """An update of which nothing is recorded: the vCPU has its VS-file here, or needs none."""
    if not isinstance(event.meaning, kvm.Run):
        raise ModelError("the handler of run got another event")
    vcpu = h.world.vcpus[event.meaning.vcpu]
    if vcpu.id not in h.known and not event.meaning.vgein:
        h.modes.setdefault(vcpu.id, EMUL)
    h.contexts[event.thread] = update(h, vcpu, event.record.cpu)


def enter(follower: Follower, h: Hypothesis, event: Event) -> Iterator[Hypothesis]:
    """Compare what imsic_update has led to with a guest entry."""
    told, context = event.meaning, h.contexts[event.thread]
    if not isinstance(told, kvm.Run):
        raise ModelError("the handler of run got another event")
    h.install()
    vcpu = h.world.vcpus[told.vcpu]
    if not context.done:
        follower.fail(h, "the guest is entered, the model is not that far", context)
    elif context.result != 1 or context.vcpu != vcpu.id:
        follower.fail(h, "the guest is entered, in the model it cannot be", context)
    elif not told.cpu == event.record.cpu == context.cpu:
        follower.fail(h, f"is on CPU {told.cpu}, imsic_update was on CPU {context.cpu}")
    elif told.vgein != vcpu.vgein:
        follower.fail(h, f"has VGEIN {told.vgein}, in the model it is {vcpu.vgein}")
    else:
        h.note_entry(vcpu, told.cpu, event.record.line)
        del h.contexts[event.thread]
        yield h


def left(follower: Follower, h: Hypothesis, event: Event) -> Iterator[Hypothesis]:
    """Load or put of a vCPU, a hotplug step: its thread has left the call that it made before."""
    follower.compared = False
    note_sleeper(h, event)
    context = h.contexts.get(event.thread)
    of_vcpu = isinstance(event.meaning, kvm.Load | kvm.Put)
    if context is None or (of_vcpu and context.function not in PREEMPTION_OFF):
        yield h
    else:
        yield from follower.over(h, event.thread, event)


def note_sleeper(h: Hypothesis, event: Event) -> None:
    """The thread of a vCPU comes or goes, which may be in kvm_vcpu_block."""
    told = event.meaning
    if isinstance(told, kvm.Load):
        h.install()
        found = h.sleepers.loaded(h.world.vcpus[told.vcpu], event)
        h.note(event.record.line, *found)
    elif isinstance(told, kvm.Put):
        h.sleepers.put(h.world.vcpus[told.vcpu], event)


def note_sleepers(h: Hypothesis, last: Event) -> None:
    """The trace ends with an event: whoever sleeps through an interrupt by then has no other."""
    h.install()
    for vcpu in h.world.vcpus.values():
        h.note(last.record.line, *h.sleepers.for_ever(vcpu, last.record.time_ns))


def wakeon(follower: Follower, h: Hypothesis, event: Event) -> Iterator[Hypothesis]:
    """A vCPU blocks, or has blocked."""
    show_disarmed(h, event)
    if isinstance(event.meaning, kvm.Wakeon):
        vcpu, enters = h.world.vcpus[event.meaning.vcpu], event.meaning.enabled != 0
        h.sleepers.blocks(vcpu, enters)
        if enters:
            h.prove_entry(vcpu)
    yield from at_probe(follower, h, event)


def inject(follower: Follower, h: Hypothesis, event: Event) -> Iterator[Hypothesis]:
    """An MSI is injected into the VS-file that the vCPU has at that moment."""
    told = event.meaning
    if not isinstance(told, kvm.Inject):
        raise ModelError("the handler of inject got another event")
    vcpu = h.world.vcpus[told.vcpu]
    for each in named_now(before(h, vsfile(vcpu.id)), event):
        each.injects[event.thread] = vcpu.id
        yield each


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
