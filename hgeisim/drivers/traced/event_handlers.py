"""Handlers of events: how each event of a trace moves a possible state on (`HANDLERS`).

Most events belong to a call that their own thread makes: it is under way, or the event begins it
(`at_probe`, `begun_call`).  The others are events of a vCPU around its guest (entry, blocking, load
and put, MSIs), and events of interrupts (an SGEI with its kicks, the sweep of a VS-file).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hgeisim.drivers.traced.booted_kernel import ENDS_CALL, PROBES
from hgeisim.drivers.traced.interleavings import (
    Follower,
    Handler,
    States,
    states_before,
    with_named_vsfile,
)
from hgeisim.drivers.traced.loaded_registers import expect_load, written, wrong_load
from hgeisim.drivers.traced.observed_state import (
    began_unseen,
    is_placeholder,
    note_armed,
    note_disarmed,
    note_mode,
)
from hgeisim.drivers.traced.possible_state import Hypothesis, sgei_actor
from hgeisim.drivers.traced.probed_call import (
    DISABLE,
    NOTHING,
    PREEMPTION_OFF,
    RELEASE,
    UPDATE,
    Call,
    answered,
    hgei,
    vsfile,
)
from hgeisim.kernel.structs import EMUL, HWACCEL, Thread, Vcpu
from hgeisim.machine.ops import Path
from hgeisim.machine.task import Runner
from hgeisim.trace import kvm_event as kvm
from hgeisim.trace.interval import Event


def at_probe(follower: Follower, h: Hypothesis, event: Event, meaning: kvm.Meaning) -> States:
    """Follow an event of a call that its thread makes: the one under way, or a new one."""
    actor = event.thread
    note_mode(h, h.calls.get(actor), meaning)
    for each in follower.arrive(h, event, actor):
        call = each.calls.get(actor)
        if call is not None and not call.done:
            yield from follower.agree(each, actor, event)
        elif call is not None and _is_release_of(call, meaning):
            follower.fail(each, "in the model imsic_update does not release it", call)
        elif (begun := begun_call(each, event)) is not None:
            each.calls[actor] = begun
            # A free or a release may still be part of a call that began before the trace.
            if not isinstance(meaning, kvm.Free | kvm.Release):
                each.seen_threads.add(actor)
            for started in follower.arrive(each, event, actor):
                yield from follower.agree(started, actor, event)
        elif began_unseen(each, actor) and not _is_repeated(call, meaning):
            yield each
        elif isinstance(meaning, kvm.Free):
            follower.fail(each, "this line has no owner", call)
        else:
            follower.fail(each, "no call of this thread is under way", call)


def _is_release_of(call: Call, meaning: kvm.Meaning) -> bool:
    """Whether a release belongs to an update that has found no free line, and not to a reset."""
    probe = call.probe
    failed = probe is not None and probe.name == "alloc_ret" and probe.value < 0
    return failed and isinstance(meaning, kvm.Release) and meaning.vsfile_cpu >= 0


def _is_repeated(call: Call | None, meaning: kvm.Meaning) -> bool:
    """Whether the last event of the same thread was a free of the same line."""
    probe = call.probe if call else None
    if probe is None or probe.name != "free" or not isinstance(meaning, kvm.Free):
        return False
    return (probe.cpu, probe.line) == (meaning.cpu, meaning.line)


def begun_call(h: Hypothesis, event: Event) -> Call | None:
    """The call that an event begins, before its first step; None if the event begins none.

    The thread of the event makes the call, or that of the vCPU if the event must be in the latter.
    """
    k, meaning, cpu = h.booted.k, event.meaning, event.record.cpu
    match meaning:
        case kvm.Alloc() | kvm.Update() | kvm.Run():
            return _update(h, h.booted.vcpus[meaning.vcpu], cpu)
        case kvm.Wakeon():
            return _block_or_unblock(h, meaning, cpu)
    who = _placed(h, h.booted.threads[event.thread], cpu)
    match meaning:
        case kvm.Release():
            vcpu, release = h.booted.vcpus[meaning.vcpu], k.kvm_riscv_vcpu_aia_imsic_release
            return _call(h, RELEASE, who, lambda: release(who, vcpu), vcpu)
        case kvm.Free():
            owner = h.owner(meaning.cpu, meaning.line)
            return _cleanup(h, who, owner) if owner else None
        case kvm.Disable():
            return _call(h, DISABLE, who, lambda: k.kvm_disable_virtualization_cpu(who, who))
        case kvm.Enable():
            enable = k.kvm_enable_virtualization_cpu
            return _call(h, "kvm_riscv_aia_enable", who, lambda: enable(who))
    return None


def _update(h: Hypothesis, vcpu: Vcpu, cpu: int) -> Call:
    """The update of a vCPU that is about to enter its guest."""
    who, path = _placed(h, vcpu.thread, cpu), h.booted.k.kvm_riscv_vcpu_aia_imsic_update
    vcpu.freed = 0  # the pointer of a destroyed vCPU may name a new one
    return _call(h, UPDATE, who, lambda: path(who, vcpu), vcpu)


def _block_or_unblock(h: Hypothesis, meaning: kvm.Wakeon, cpu: int) -> Call:
    """The blocking or unblocking of a vCPU, which enters no section before its probe."""
    k, vcpu = h.booted.k, h.booted.vcpus[meaning.vcpu]
    path = k.kvm_arch_vcpu_blocking if meaning.enabled else k.kvm_arch_vcpu_unblocking
    who = _placed(h, vcpu.thread, cpu)
    call = _call(h, path.__name__, who, lambda: path(who, vcpu), vcpu)
    call.sections = NOTHING
    return call


def _cleanup(h: Hypothesis, who: Thread, vcpu: Vcpu) -> Call:
    """The destruction of a vCPU, which does not sweep its VS-file."""
    path = h.booted.k.kvm_riscv_vcpu_aia_imsic_cleanup
    h.unswept.add((vcpu.vsfile_cpu, vcpu.vsfile_hgei))
    return _call(h, "kvm_riscv_vcpu_aia_imsic_cleanup", who, lambda: path(who, vcpu), vcpu)


def _sgei_call(h: Hypothesis, cpu: int, mask: int) -> Call:
    """The handler of an SGEI; the pending and enabled lines of its HART are those of `mask`."""
    k, who = h.booted.k, h.booted.sgeis[cpu]
    h.install()
    k.hart[cpu].hgeip = mask
    call = _call(h, "hgei_interrupt", who, lambda: k.hgei_interrupt(who))
    call.sections = hgei(cpu)
    return call


def _placed(h: Hypothesis, who: Thread, cpu: int) -> Thread:
    """Put a thread on a CPU, in this state."""
    h.install()
    who.cpu = cpu
    return who


def _call(
    h: Hypothesis,
    function: str,
    who: Runner,
    path: Callable[[], Path[Any]],
    about: Vcpu | None = None,
) -> Call:
    """A call of a function by a context that is on its CPU already, about a vCPU or about none."""
    irqs = h.booted.irqs
    sections = vsfile(about.id) if about else NOTHING
    vcpu = about.id if about else 0
    return Call(function, who, who.cpu, vcpu, lambda: answered(path(), who, irqs), sections)


def at_run(follower: Follower, h: Hypothesis, event: Event, meaning: kvm.Run) -> States:
    """Follow `run`: a guest is about to be entered, with VGEIN as imsic_update left it.

    The kernel looks at pending requests after this event: another update may follow instead.
    """
    actor = event.thread
    note_mode(h, h.calls.get(actor), meaning)
    for each in follower.arrive(h, event, actor):
        call = each.calls.get(actor)
        if call is not None and call.function == UPDATE and not _has_failed(each, call):
            yield from _enter(follower, each, event, meaning)
        elif began_unseen(each, actor):
            each.seen_threads.add(actor)
            yield each
        else:
            # The trace has no event of this update: the vCPU had its VS-file, or needed none.
            vcpu = each.booted.vcpus[meaning.vcpu]
            if vcpu.id not in each.asked and not meaning.vgein:
                each.modes.setdefault(vcpu.id, EMUL)
            each.calls[actor] = _update(each, vcpu, event.record.cpu)
            for started in follower.arrive(each, event, actor):
                yield from _enter(follower, started, event, meaning)


def _has_failed(h: Hypothesis, call: Call) -> bool:
    """Whether an update left KVM_RUN for lack of a line, in HWACCEL; another update may come."""
    return call.done and call.result == 0 and h.modes.get(call.vcpu) == HWACCEL


def _enter(follower: Follower, h: Hypothesis, event: Event, meaning: kvm.Run) -> States:
    """Compare a guest entry with the outcome of imsic_update."""
    call = h.calls[event.thread]
    h.install()
    vcpu = h.booted.vcpus[meaning.vcpu]
    if not call.done:
        follower.fail(h, "the guest is entered, the model is not that far", call)
    elif call.result != 1 or call.vcpu != vcpu.id:
        follower.fail(h, "the guest is entered, in the model it cannot be", call)
    elif not meaning.cpu == event.record.cpu == call.cpu:
        follower.fail(h, f"is on CPU {meaning.cpu}, imsic_update was on CPU {call.cpu}")
    elif meaning.vgein != vcpu.vgein:
        follower.fail(h, f"has VGEIN {meaning.vgein}, in the model it is {vcpu.vgein}")
    else:
        h.note_entry(vcpu, meaning.cpu, event.record.line)
        del h.calls[event.thread]
        yield h


def at_end_of_call(follower: Follower, h: Hypothesis, event: Event, meaning: kvm.Meaning) -> States:
    """Follow a load or put of a vCPU, or a hotplug step: the call of its thread is over."""
    follower.compared = False
    if isinstance(meaning, kvm.Load):
        if wrong := wrong_load(h, event, meaning):
            follower.compared = True
            follower.fail(h, wrong)
            return
        follower.compared = expect_load(h, event, meaning)
        h.install()
        h.note(event.record.line, *h.sleepers.loaded(h.booted.vcpus[meaning.vcpu], event))
    elif isinstance(meaning, kvm.Put):
        h.sleepers.put(h.booted.vcpus[meaning.vcpu], event)
    call = h.calls.get(event.thread)
    # A put may be a preemption, which ends only a call that is made with preemption off.
    of_vcpu = isinstance(meaning, kvm.Load | kvm.Put)
    if call is None or (of_vcpu and call.function not in PREEMPTION_OFF):
        yield h
    else:
        yield from follower.finish(h, event.thread, event)


def at_wakeon(follower: Follower, h: Hypothesis, event: Event, meaning: kvm.Wakeon) -> States:
    """Follow `wakeon`: a vCPU blocks, or has blocked."""
    note_disarmed(h, event, meaning)
    vcpu, enters = h.booted.vcpus[meaning.vcpu], meaning.enabled != 0
    h.sleepers.blocks(vcpu, enters)
    if enters:
        h.prove_entry(vcpu)
    yield from at_probe(follower, h, event, meaning)


def at_full_load(follower: Follower, h: Hypothesis, event: Event, meaning: kvm.FullLoad) -> States:
    """Follow `fload`: a load writes all registers of its vCPU."""
    if wrong := written(h, event, meaning):
        follower.fail(h, wrong)
    else:
        yield h


def at_imsic_put(_: Follower, h: Hypothesis, event: Event, meaning: kvm.ImsicPut) -> States:
    """Follow `imput`: a vCPU is put with the VS-file that it has at that moment."""
    vcpu = h.booted.vcpus[meaning.vcpu]
    yield from with_named_vsfile(states_before(h, vsfile(vcpu.id)), event)


def at_inject(_: Follower, h: Hypothesis, event: Event, meaning: kvm.Inject) -> States:
    """Follow `inject`: an MSI goes into the VS-file that the vCPU has at that moment."""
    vcpu = h.booted.vcpus[meaning.vcpu]
    for each in with_named_vsfile(states_before(h, vsfile(vcpu.id)), event):
        each.injects[event.thread] = vcpu.id
        yield each


def at_sgei(follower: Follower, h: Hypothesis, event: Event, meaning: kvm.Sgei) -> States:
    """Follow `sgei`: a HART takes an SGEI, only for lines that it has and that are enabled."""
    cpu = event.record.cpu
    actor = sgei_actor(cpu)
    for each in states_before(h, hgei(cpu)):
        if wrong := list(note_armed(each, event, meaning)):
            follower.fail(each, "; ".join(wrong))
            continue
        call = each.calls[actor] = _sgei_call(each, cpu, meaning.mask)
        each.advance(actor)
        call.matched, call.depth = True, preempt_depth(event)
        yield each


def at_kick(follower: Follower, h: Hypothesis, event: Event, meaning: kvm.Kick) -> States:
    """Follow `kick`: by the SGEI handler under way on its CPU, if it has one left, or another."""
    actor = sgei_actor(event.record.cpu)
    if actor not in h.calls:
        follower.compared = False
        note_other_kick(h, event, meaning)
        yield h
        return
    for each in follower.reach(h, actor):
        call = each.calls[actor]
        if not call.done:
            for agreeing in follower.agree(each, actor, event):
                agreeing.install()
                agreeing.sleepers.called(agreeing.booted.vcpus[meaning.vcpu], event)
                yield agreeing
        elif preempt_depth(event) > call.depth:
            # Only with a spinlock held is preemption off once more than when the handler began.
            follower.fail(each, "is under hgctrl->lock, the model has kicked all owners", call)
        else:
            del each.calls[actor]
            note_other_kick(each, event, meaning)
            yield each


def note_other_kick(h: Hypothesis, event: Event, meaning: kvm.Kick) -> None:
    """Note a kick that is not by the handler of an SGEI; its vCPU may be in kvm_vcpu_block."""
    vcpu = h.booted.vcpus[meaning.vcpu]
    h.sleepers.kicked(vcpu, h.injects.pop(event.thread, 0) == vcpu.id)


def preempt_depth(event: Event) -> int:
    """How often preemption is off at an event; 0 if its flags do not show that.

    The flags are irqs-off, need-resched, hardirq/softirq and depth; `f` stands for any from 15 on.
    """
    depth = event.record.flags[3:4]
    return int(depth) if depth.isdecimal() else 0


def at_sweep(follower: Follower, h: Hypothesis, event: Event, meaning: kvm.Sweep) -> States:
    """Follow `lread`: a VS-file is read and cleared, in an IPI from a call that takes it away.

    That call may also be one that has taken the file as well, after another one freed the line.
    """
    owner = h.owner(event.record.cpu, meaning.line)
    senders = [
        actor for actor, call in h.calls.items() if not call.done and _may_sweep(call, owner)
    ]
    if owner and is_placeholder(h, owner):
        yield h
        return
    agreeing = [
        after
        for actor in senders
        for each in follower.arrive(h.fork(), event, actor)
        for after in follower.agree(each, actor, event)
    ]
    if owner and not agreeing and began_unseen(h, h.booted.runners[owner.id]):
        yield h
    elif not senders:
        follower.fail(h, "no call takes this VS-file away")
    yield from agreeing


def _may_sweep(call: Call, owner: Vcpu | None) -> bool:
    """Whether a call may take away the VS-file of a line with this owner.

    The file was read under vsfile_lock, so the line may have another owner or none meanwhile; if it
    has none, any call that sweeps a VS-file may be the one.
    """
    if owner is None:
        return call.function in (UPDATE, RELEASE, DISABLE)
    return call.vcpu in (0, owner.id)


HANDLERS: dict[type[kvm.Meaning], Handler] = {
    **dict.fromkeys(PROBES, at_probe),
    kvm.Run: at_run,
    **dict.fromkeys(ENDS_CALL, at_end_of_call),
    kvm.FullLoad: at_full_load,
    kvm.ImsicPut: at_imsic_put,
    kvm.Wakeon: at_wakeon,
    kvm.Inject: at_inject,
    kvm.Sgei: at_sgei,
    kvm.Kick: at_kick,
    kvm.Sweep: at_sweep,
}
"""The handler of each event that is followed; later rows replace earlier ones."""
