"""What the trace shows of the state that was there before: AIA modes, and armed lines."""

from __future__ import annotations

from collections.abc import Iterator

from hgeisim.checks.finding import Finding
from hgeisim.drivers.traced.context import Context
from hgeisim.drivers.traced.hypothesis import Hypothesis, Inferred
from hgeisim.errors import ModelError
from hgeisim.kernel.structs import AUTO, HWACCEL
from hgeisim.machine.hart import bit
from hgeisim.trace import meaning as kvm
from hgeisim.trace.interval import Event


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
