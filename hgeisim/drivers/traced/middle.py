"""A trace that begins in the middle, or goes on after a hole: who holds which line is learned.

At first every line is held by somebody not known (`World.holders`).  A vCPU takes over
from a holder when its first event tells a VS-file; a line turns out to have been free when it is
handed out.
"""

from __future__ import annotations

from collections.abc import Iterable

from hgeisim.drivers.traced.context import DISABLE, Context
from hgeisim.drivers.traced.hypothesis import Hypothesis, Inferred
from hgeisim.kernel.structs import Vcpu
from hgeisim.machine.hart import bit
from hgeisim.trace import meaning as kvm
from hgeisim.trace.interval import Event


def begins_in_the_middle(events: Iterable[Event]) -> bool:
    """Whether the first thing that is told of a vCPU is that it has a VS-file; or a call returns or
    frees a line before anything is told of a vCPU.

    An MSI counts for a vCPU of which nothing else is told: it may name a file that comes later.
    """
    first: dict[str, bool] = {}
    sent_to: dict[str, bool] = {}
    for event in events:
        told = vsfile_told(event.meaning)
        if told is not None:
            known = sent_to if isinstance(event.meaning, kvm.Inject) else first
            known.setdefault(told[0], told[1] >= 0 and told[2] > 0)
        elif not first and isinstance(event.meaning, kvm.Free | kvm.AllocReturn):
            return True
    return any((sent_to | first).values())


def vsfile_told(told: kvm.Meaning) -> tuple[str, int, int] | None:
    """The vCPU, CPU and line of the VS-file that an event tells, -1 or 0 for none."""
    match told:
        case kvm.Alloc() if told.old_cpu is not None and told.old_line is not None:
            return told.vcpu, told.old_cpu, told.old_line
        case kvm.Update() | kvm.Release() | kvm.Inject():
            return told.vcpu, told.vsfile_cpu, told.vsfile_line
        case kvm.Run():
            return told.vcpu, told.cpu, told.vgein
    return None


def learn(h: Hypothesis, event: Event) -> None:
    """Take from an event what it tells of the time before the trace.

    A vCPU without a VS-file at an MSI may be about to get one, by a call that began before.
    """
    if not h.world.holders:
        return
    told = vsfile_told(event.meaning)
    if told is not None and (vcpu := h.world.vcpus[told[0]]).id not in h.met:
        if told[1] >= 0 or not isinstance(event.meaning, kvm.Inject):
            h.met.add(vcpu.id)
        _take_over(h, vcpu, told[1], told[2], event.record.line)
    context = h.contexts.get(event.thread)
    if context is not None:
        for line in _lines_passed(h, context, event.meaning):
            _was_free(h, context.cpu, line, event.record.line)


def _lines_passed(h: Hypothesis, context: Context, told: kvm.Meaning) -> Iterable[int]:
    """Lines that a call would not have handed out, or not have passed over, if they were held."""
    if isinstance(told, kvm.AllocReturn):
        return (told.result,)
    if context.function != DISABLE:
        return ()
    match told:
        case kvm.Release(vsfile_cpu=cpu, vsfile_line=line) | kvm.Free(cpu=cpu, line=line):
            return range(line) if cpu == context.cpu else ()
        case kvm.DisableReturn():
            return range(h.world.k.slots)
    return ()


def is_unknown(h: Hypothesis, vcpu: Vcpu | None) -> bool:
    """Whether somebody not known is meant."""
    return any(vcpu is holder for holder in h.world.holders.values())


def is_unheard(h: Hypothesis, vcpu: Vcpu) -> bool:
    """Whether the thread of a vCPU may be in a call that began before the trace."""
    return is_of_before(h, h.world.runners[vcpu.id])


def is_of_before(h: Hypothesis, actor: int) -> bool:
    """Whether the call of a thread may have begun before the trace."""
    return bool(h.world.holders) and actor not in h.begun


def _take_over(h: Hypothesis, vcpu: Vcpu, cpu: int, line: int, at: int) -> None:
    """Let a vCPU be the owner of a line instead of its holder; it may have armed it unseen."""
    holder = h.owner(cpu, line)
    if holder is None or not is_unknown(h, holder):
        return
    h.world.k.hgei[cpu].owners[line] = vcpu.id
    armed = h.armed_before.get(cpu, h.world.k.hart[cpu].lines_mask)
    h.armed_before[cpu] = armed | bit(line)
    vcpu.vsfile_cpu, vcpu.vsfile_hgei, vcpu.vgein = cpu, line, line
    holder.vsfile_cpu = holder.vsfile_hgei = -1
    h.inferred.append(Inferred(at, f"{vcpu.name} had CPU {cpu} line {line} from before"))


def _was_free(h: Hypothesis, cpu: int, line: int, at: int) -> None:
    """Let a line be free that is with a holder."""
    holder = h.owner(cpu, line)
    if holder is None or not is_unknown(h, holder):
        return
    hgctrl = h.world.k.hgei[cpu]
    hgctrl.owners[line] = 0
    hgctrl.free_bitmap |= bit(line)
    holder.vsfile_cpu = holder.vsfile_hgei = -1
    h.inferred.append(Inferred(at, f"CPU {cpu} line {line} was free"))
