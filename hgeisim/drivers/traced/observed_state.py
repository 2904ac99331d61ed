"""State that no path computes and only the trace shows: owners, AIA modes and armed lines.

A trace may begin in the middle, or go on after a hole; the owners of lines are then learned.  At
first a placeholder holds every line (`BootedKernel.placeholders`).  A vCPU takes over from it when
the vCPU's first event shows a VS-file; a line turns out to have been free when it is handed out.

The AIA mode of a vCPU shows when no line is free for it; a bit of HGEIE from before the trace shows
when an SGEI is taken for a line that was not armed since.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hgeisim.checks.finding import Finding
from hgeisim.drivers.traced.possible_state import Hypothesis, Inferred
from hgeisim.drivers.traced.probed_call import DISABLE, Call
from hgeisim.kernel.structs import AUTO, HWACCEL, Vcpu
from hgeisim.machine.hart import bit
from hgeisim.trace import kvm_event as kvm
from hgeisim.trace.interval import Event


def begins_in_the_middle(events: Iterable[Event]) -> bool:
    """Whether a trace begins with held lines.

    It does if a vCPU's first event shows that the vCPU has a VS-file already, or if a call returns
    or frees a line before any vCPU is named.

    An MSI counts only for a vCPU without other events: it may name a file that comes later.
    """
    first: dict[str, bool] = {}
    sent_to: dict[str, bool] = {}
    for event in events:
        named = named_vsfile(event.meaning)
        if named is not None:
            vcpu, cpu, line = named
            by_vcpu = sent_to if isinstance(event.meaning, kvm.Inject) else first
            by_vcpu.setdefault(vcpu, cpu >= 0 and line > 0)
        elif not first and isinstance(event.meaning, kvm.Free | kvm.AllocReturn):
            return True
    return any((sent_to | first).values())


def named_vsfile(meaning: kvm.Meaning) -> tuple[str, int, int] | None:
    """The vCPU, CPU and line of the VS-file that an event names, -1 or 0 for none."""
    match meaning:
        case kvm.Alloc(vcpu=vcpu, old_cpu=int(cpu), old_line=int(line)):
            return vcpu, cpu, line
        case kvm.Update() | kvm.Release() | kvm.Inject() | kvm.ImsicPut():
            return meaning.vcpu, meaning.vsfile_cpu, meaning.vsfile_line
        case kvm.Run():
            return meaning.vcpu, meaning.cpu, meaning.vgein
    return None


def learn_owners(h: Hypothesis, event: Event) -> None:
    """Learn from an event who owned lines before the trace.

    A vCPU that has no VS-file at an MSI may be about to get one, by a call that began before.
    """
    if not h.booted.placeholders:
        return
    named = named_vsfile(event.meaning)
    if named is not None and (vcpu := h.booted.vcpus[named[0]]).id not in h.seen_vcpus:
        _, cpu, line = named
        if cpu >= 0 or not isinstance(event.meaning, kvm.Inject):
            h.seen_vcpus.add(vcpu.id)
        _take_over(h, vcpu, cpu, line, event.record.line)
    call = h.calls.get(event.thread)
    if call is not None:
        for line in _lines_passed(h, call, event.meaning):
            _was_free(h, call.cpu, line, event.record.line)


def _lines_passed(h: Hypothesis, call: Call, meaning: kvm.Meaning) -> Iterable[int]:
    """Lines that were free: a call has handed one out, or passed over them in its loop."""
    if isinstance(meaning, kvm.AllocReturn):
        return (meaning.result,)
    if call.function != DISABLE:
        return ()
    match meaning:
        case kvm.Release(vsfile_cpu=cpu, vsfile_line=line) | kvm.Free(cpu=cpu, line=line):
            return range(line) if cpu == call.cpu else ()
        case kvm.DisableReturn():
            return range(h.booted.k.slots)
    return ()


def is_placeholder(h: Hypothesis, vcpu: Vcpu | None) -> bool:
    """Whether a vCPU is not one of the trace, but stands for an unknown owner."""
    return any(vcpu is placeholder for placeholder in h.booted.placeholders.values())


def began_unseen(h: Hypothesis, actor: int) -> bool:
    """Whether a thread may be in a call that began before the trace."""
    return bool(h.booted.placeholders) and actor not in h.seen_threads


def _take_over(h: Hypothesis, vcpu: Vcpu, cpu: int, line: int, at: int) -> None:
    """Let a vCPU own a line instead of its placeholder; the vCPU may have armed it unseen."""
    if not _displaced(h, cpu, line):
        return
    h.booted.k.hgei[cpu].owners[line] = vcpu.id
    armed = h.armed_before.get(cpu, h.booted.k.hart[cpu].lines_mask)
    h.armed_before[cpu] = armed | bit(line)
    vcpu.vsfile_cpu, vcpu.vsfile_hgei, vcpu.vgein = cpu, line, line
    h.inferred.append(Inferred(at, f"{vcpu.name} had CPU {cpu} line {line} from before"))


def _was_free(h: Hypothesis, cpu: int, line: int, at: int) -> None:
    """Let a line be free instead of held by a placeholder."""
    if _displaced(h, cpu, line):
        hgctrl = h.booted.k.hgei[cpu]
        hgctrl.owners[line] = 0
        hgctrl.free_bitmap |= bit(line)
        h.inferred.append(Inferred(at, f"CPU {cpu} line {line} was free"))


def _displaced(h: Hypothesis, cpu: int, line: int) -> bool:
    """Take a line away from its placeholder; False if no placeholder holds it."""
    placeholder = h.owner(cpu, line)
    if placeholder is None or not is_placeholder(h, placeholder):
        return False
    placeholder.vsfile_cpu = placeholder.vsfile_hgei = -1
    return True


def note_mode(h: Hypothesis, call: Call | None, meaning: kvm.Meaning | None) -> None:
    """Note the mode of a vCPU that found no free line, from the next event of its thread.

    `meaning` is that event's, None if the thread left the call without any.  AUTO releases the old
    VS-file, if any, and enters the guest; HWACCEL keeps the file and fails, and enters the guest
    with it once the vCPU is back on its CPU.  Without an old file and without `run` and `upd_ret`,
    both modes look the same, and the mode is left open.
    """
    probe = call.probe if call else None
    if call is None or call.done or probe is None:
        return
    h.asked.add(probe.vcpu)
    if probe.name != "alloc_ret" or probe.value >= 0 or probe.vcpu in h.modes:
        return
    h.install()
    keeps = isinstance(meaning, kvm.Run) and meaning.vgein > 0
    if isinstance(meaning, kvm.Release | kvm.Run) and not keeps:
        h.modes[probe.vcpu] = AUTO
    elif h.booted.k.vcpu(probe.vcpu).vsfile_cpu >= 0:
        h.modes[probe.vcpu] = HWACCEL
    elif isinstance(meaning, kvm.UpdateReturn):
        h.modes[probe.vcpu] = AUTO if meaning.result > 0 else HWACCEL


def note_armed(h: Hypothesis, event: Event, sgei: kvm.Sgei) -> Iterator[str]:
    """Note that the lines of an SGEI are armed; yield contradictions if they cannot be pending.

    The VS-file of a line without an owner was swept, so nothing is pending there, unless the line
    is in `unswept`.  The trace does not show HGEIE at the start, and an owner that has moved away
    leaves its bit set (v6.12), which may interrupt the next owner.
    """
    cpu = event.record.cpu
    h.install()
    hart = h.booted.k.hart[cpu]
    unowned = sgei.mask & ~_pending_lines(h, cpu)
    before = h.armed_before.get(cpu, hart.lines_mask)
    unarmed = sgei.mask & ~hart.hgeie if "wakeon" in h.booted.recorded else 0
    if unowned:
        yield f"has mask={sgei.mask:#x}, nobody owns {unowned:#x}"
    elif unarmed & ~(before | _unknown_lines(h, cpu)):
        yield f"has mask={sgei.mask:#x}, HGEIE is {hart.hgeie:#x}"
    elif unarmed:
        text = f"HGEIE of CPU {cpu} had {unarmed:#x} set from before the trace"
        h.inferred.append(Inferred(event.record.line, text))
        if not h.booted.placeholders:
            # No line was held when the trace began, so a previous owner of this one armed it.
            text = f"HART {cpu} took an SGEI on a line that its current owner never armed"
            stale = Finding("stale-armed", "hgei", f"{text}; a previous owner did")
            h.note(event.record.line, stale)
    hart.hgeie |= sgei.mask
    h.armed_before[cpu] = before & ~sgei.mask


def note_unswept(h: Hypothesis, release: kvm.Release, actor: int) -> None:
    """Note it if a thread takes the VS-file from a vCPU, and the file may not stay clear.

    The vCPU's own thread may be in imsic_update, and write to the file after it was swept.
    """
    vcpu = h.booted.vcpus[release.vcpu]
    theirs = (call for other, call in h.calls.items() if other != actor)
    if any(not call.done and call.vcpu == vcpu.id for call in theirs):
        h.unswept.add((release.vsfile_cpu, release.vsfile_line))


def _pending_lines(h: Hypothesis, cpu: int) -> int:
    """The lines of a CPU that may be pending: they have an owner, or a VS-file not left clear."""
    lines = {line for line, owner in enumerate(h.owners(cpu), 1) if owner}
    lines |= {line for at, line in h.unswept if at == cpu}
    return sum(map(bit, lines))


def _unknown_lines(h: Hypothesis, cpu: int) -> int:
    """The lines of a CPU that still have unknown owners, which may have armed them."""
    return sum(
        bit(line)
        for (at, line), placeholder in h.booted.placeholders.items()
        if at == cpu and placeholder.vsfile_cpu >= 0
    )


def note_disarmed(h: Hypothesis, event: Event, wakeon: kvm.Wakeon) -> None:
    """Note that a `wakeon` decides the HGEIE bit of its line, however it was before the trace."""
    cpu = event.record.cpu
    h.install()
    vcpu, hart = h.booted.vcpus[wakeon.vcpu], h.booted.k.hart[cpu]
    if vcpu.vsfile_cpu == cpu:
        before = h.armed_before.get(cpu, hart.lines_mask)
        h.armed_before[cpu] = before & ~bit(vcpu.vsfile_hgei)
