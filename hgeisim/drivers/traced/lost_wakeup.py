"""Lost wake-ups: a vCPU is woken by an SGEI, does not find its interrupt, and sleeps again.

An SGEI for a line proves that an interrupt is pending in the VS-file and enabled.  Its handler
kicks the owner.  If the owner is in kvm_vcpu_block and was moved to another HART, v6.12 does not
find its line there (B-02): its thread comes (`vload`) and goes (`vput`) without having unblocked
(`wakeon` with en=0), and stays away until another kick.

A preempted thread comes and goes in the same way.  So nothing is reported before another kick has
brought the thread back, on a HART that is not that of its VS-file, or before the thread has been
away for longer than any pause of a trace.  A vCPU that something else kicked first has another
reason to wake up, and is left alone until it blocks again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum

from hgeisim.checks.finding import Finding
from hgeisim.kernel.structs import Vcpu
from hgeisim.trace import kvm_event as kvm
from hgeisim.trace.import_trace import JOINT_NS
from hgeisim.trace.interval import Event

NEEDED = (kvm.Wakeon, kvm.Sgei, kvm.Kick, kvm.Load, kvm.Put)
"""The events that a trace must have to show a lost wake-up."""


class Stage(Enum):
    """The stages of a vCPU that blocks."""

    BLOCKED = "it has not unblocked"
    CALLED = "the handler of an SGEI has kicked it"
    WOKEN = "its thread has come"
    ASLEEP = "its thread has gone again, on another HART than that of its VS-file"
    KICKED = "it was kicked for another MSI"
    WANTED = "it was kicked for another reason, for which it leaves kvm_vcpu_block"


@dataclass(frozen=True)
class Sleeper:
    """A vCPU in kvm_vcpu_block.

    `hart` took the SGEI, and kicked the vCPU in `line` of the trace.  The vCPU's thread went to
    sleep again on HART `asleep_on`, at `since_ns`.
    """

    stage: Stage = Stage.BLOCKED
    hart: int = -1
    line: int = 0
    asleep_on: int = -1
    since_ns: int = 0


class Sleepers(dict[int, Sleeper]):
    """The vCPUs in kvm_vcpu_block, by id."""

    def blocks(self, vcpu: Vcpu, enters: bool) -> None:
        """Note that a vCPU enters kvm_vcpu_block, or leaves it."""
        self.pop(vcpu.id, None)
        if enters:
            self[vcpu.id] = Sleeper()

    def called(self, vcpu: Vcpu, event: Event) -> None:
        """Note that the handler of an SGEI kicks a vCPU."""
        sleeper, hart = self.get(vcpu.id), event.record.cpu
        if sleeper and sleeper.stage is Stage.BLOCKED and vcpu.vsfile_cpu == hart:
            self[vcpu.id] = Sleeper(Stage.CALLED, hart, event.record.line)

    def kicked(self, vcpu: Vcpu, for_an_msi: bool) -> None:
        """Note another kick; `for_an_msi`: right after an MSI, so for the same reason as before."""
        sleeper = self.get(vcpu.id)
        if sleeper is None:
            return
        if sleeper.stage in (Stage.ASLEEP, Stage.KICKED):
            stage = Stage.KICKED if for_an_msi else Stage.WANTED
            self[vcpu.id] = replace(sleeper, stage=stage)
        elif sleeper.stage is not Stage.WANTED and not for_an_msi:
            del self[vcpu.id]

    def put(self, vcpu: Vcpu, event: Event) -> None:
        """Note that the thread of a vCPU is switched out."""
        sleeper, hart, now_ns = self.get(vcpu.id), event.record.cpu, event.record.time_ns
        if sleeper and sleeper.stage is Stage.WOKEN and hart != sleeper.hart:
            asleep = replace(sleeper, stage=Stage.ASLEEP, asleep_on=hart, since_ns=now_ns)
            self[vcpu.id] = asleep

    def loaded(self, vcpu: Vcpu, event: Event) -> Iterator[Finding]:
        """Note that the thread is switched in; report it if it had slept through its interrupt."""
        sleeper = self.get(vcpu.id)
        if sleeper is None or sleeper.stage is Stage.BLOCKED:
            return
        self[vcpu.id] = replace(sleeper, stage=Stage.WOKEN)
        if sleeper.stage is Stage.WANTED:
            del self[vcpu.id]
        elsewhere = event.record.cpu != sleeper.hart == vcpu.vsfile_cpu
        if elsewhere and sleeper.stage in (Stage.KICKED, Stage.WANTED):
            yield _lost(vcpu, sleeper, "until something else wakes it")

    def for_ever(self, vcpu: Vcpu, now_ns: int) -> Iterator[Finding]:
        """Report, at the end of a trace, a vCPU whose thread is away too long for a preemption."""
        sleeper = self.get(vcpu.id)
        if sleeper and sleeper.stage is Stage.ASLEEP and sleeper.hart == vcpu.vsfile_cpu:
            away_ns = now_ns - sleeper.since_ns
            if away_ns > JOINT_NS:
                yield _lost(vcpu, sleeper, f"to the end of the trace, {away_ns / 1e9:.1f} s later")


def _lost(vcpu: Vcpu, sleeper: Sleeper, until: str) -> Finding:
    text = (
        f"{vcpu.name} has an interrupt in its VS-file on HART {sleeper.hart}, is kicked by the "
        f"SGEI in line {sleeper.line}, wakes up on HART {sleeper.asleep_on} and sleeps again, "
        f"{until}"
    )
    return Finding("lost-wakeup", "vcpu", text)
