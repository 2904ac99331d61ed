"""Events of a vCPU around its guest: entry, blocking, load and put, and MSIs for it."""

from __future__ import annotations

from collections.abc import Iterator

from hgeisim.drivers.traced.calls import PREEMPTION_OFF, UPDATE, update
from hgeisim.drivers.traced.context import Context
from hgeisim.drivers.traced.follower import Follower, at_probe, named_now
from hgeisim.drivers.traced.hypothesis import Hypothesis
from hgeisim.drivers.traced.middle import is_of_before
from hgeisim.drivers.traced.order import before
from hgeisim.drivers.traced.probe import vsfile
from hgeisim.drivers.traced.shown import show_disarmed, show_mode
from hgeisim.errors import ModelError
from hgeisim.kernel.structs import EMUL, HWACCEL
from hgeisim.trace import meaning as kvm
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
