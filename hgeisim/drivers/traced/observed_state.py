"""State that no path computes and only the trace shows: owners, AIA modes and armed lines.

A trace may begin in the middle, or go on after a hole; who holds which line is then learned.  At
first every line is held by somebody not known (`World.holders`).  A vCPU takes over from a holder
when its first event shows a VS-file; a line turns out to have been free when it is handed out.

The AIA mode of a vCPU shows when no line is free for it; HGEIE of the time before the trace shows
when an SGEI is taken for a line that nobody has armed since.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hgeisim.checks.finding import Finding
from hgeisim.drivers.traced.possible_state import Hypothesis, Inferred
from hgeisim.drivers.traced.probed_call import DISABLE, Context
from hgeisim.errors import ModelError
from hgeisim.kernel.structs import AUTO, HWACCEL, Vcpu
from hgeisim.machine.hart import bit
from hgeisim.trace import kvm_event as kvm
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


def show_mode(h: Hypothesis, context: Context | None, told: kvm.Meaning | None) -> None:
    """Note the mode of a vCPU that found no free line, from what its thread does next.

    `told` is the next event of its thread, None when it left the call without any.  AUTO releases
    the old VS-file, if any, and enters the guest; HWACCEL keeps it and fails, and enters the guest
    with it once it is back on its CPU.  Without an old one
    and without `run` and `upd_ret` they look the same, and are left open.
    """
    probe = context.probe if context else None
    if context is None or context.done or probe is None:
        return
    h.known.add(probe.vcpu)
    if probe.name != "alloc_ret" or probe.value >= 0 or probe.vcpu in h.modes:
        return
    h.install()
    keeps = isinstance(told, kvm.Run) and told.vgein > 0
    if isinstance(told, kvm.Release | kvm.Run) and not keeps:
        h.modes[probe.vcpu] = AUTO
    elif h.world.k.vcpu(probe.vcpu).vsfile_cpu >= 0:
        h.modes[probe.vcpu] = HWACCEL
    elif isinstance(told, kvm.UpdateReturn):
        h.modes[probe.vcpu] = AUTO if told.result > 0 else HWACCEL


def show_armed(h: Hypothesis, event: Event) -> Iterator[str]:
    """Take an SGEI for lines that can be pending and armed; yield what contradicts it.

    The VS-file of a line without an owner was swept, so nothing is pending there, except where
    `unswept` says so.  Nothing tells HGEIE at the start, and an owner that has moved away leaves
    its bit set (v6.12): the next owner may be interrupted by it.
    """
    told, cpu = event.meaning, event.record.cpu
    if not isinstance(told, kvm.Sgei):
        raise ModelError("only SGEI shows them, not this event")
    h.install()
    hart = h.world.k.hart[cpu]
    unowned = told.mask & ~(_owned_lines(h, cpu) | _unswept_lines(h, cpu))
    before = h.armed_before.get(cpu, hart.lines_mask)
    unarmed = told.mask & ~hart.hgeie if h.world.tells("wakeon") else 0
    if unowned:
        yield f"has mask={told.mask:#x}, nobody owns {unowned:#x}"
    elif unarmed & ~(before | _unknown_lines(h, cpu)):
        yield f"has mask={told.mask:#x}, HGEIE is {hart.hgeie:#x}"
    elif unarmed:
        text = f"HGEIE of CPU {cpu} had {unarmed:#x} set from before the trace"
        h.inferred.append(Inferred(event.record.line, text))
        if not h.world.holders:
            note_stale(h, event)
    hart.hgeie |= told.mask
    h.armed_before[cpu] = before & ~told.mask


def note_stale(h: Hypothesis, event: Event) -> None:
    """No line was held when the trace began, so whoever armed this one is not its owner now."""
    cpu = event.record.cpu
    text = f"HART {cpu} takes an SGEI for a line that its owner has not armed: an owner before has"
    finding = Finding("stale-armed", "hgei", text)
    h.note(event.record.line, finding)


def show_unswept(h: Hypothesis, told: kvm.Release, actor: int) -> None:
    """Note that a thread takes the VS-file from a vCPU, and that it may not stay clear.

    The vCPU's own thread may be in imsic_update, and write to the file after it was swept.
    """
    vcpu = h.world.vcpus[told.vcpu]
    theirs = (context for other, context in h.contexts.items() if other != actor)
    if any(not context.done and context.vcpu == vcpu.id for context in theirs):
        h.unswept.add((told.vsfile_cpu, told.vsfile_line))


def _owned_lines(h: Hypothesis, cpu: int) -> int:
    """The lines of a CPU that have an owner."""
    return sum(bit(line) for line, owner in enumerate(h.owners(cpu), 1) if owner)


def _unswept_lines(h: Hypothesis, cpu: int) -> int:
    """The lines of a CPU whose VS-files were not left clear."""
    return sum(bit(line) for at, line in h.unswept if at == cpu)


def _unknown_lines(h: Hypothesis, cpu: int) -> int:
    """The lines of a CPU that are still with somebody not known, who may have armed them."""
    return sum(
        bit(line)
        for (at, line), holder in h.world.holders.items()
        if at == cpu and holder.vsfile_cpu >= 0
    )


def show_disarmed(h: Hypothesis, event: Event) -> None:
    """An owner that blocks or has blocked sets or clears the bit of its line."""
    told, cpu = event.meaning, event.record.cpu
    if not isinstance(told, kvm.Wakeon):
        raise ModelError("only wakeon shows it, not this event")
    h.install()
    vcpu, hart = h.world.vcpus[told.vcpu], h.world.k.hart[cpu]
    if vcpu.vsfile_cpu == cpu:
        before = h.armed_before.get(cpu, hart.lines_mask)
        h.armed_before[cpu] = before & ~bit(vcpu.vsfile_hgei)
