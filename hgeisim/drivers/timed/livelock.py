"""A livelock of vCPUs: they take lines from each other, or go after lines on other HARTs, again and
again, and none of them gets any further.

It is looked for line by line.  A line *comes back* when a vCPU gets it that has had it before.  It
is a livelock when it has come back `RETURNS` times and no vCPU that has had it meanwhile has
entered its guest, on this line or in any other way.  One entry by one of them and the count begins
anew, so what makes progress is never accused.

A vCPU by itself can do so, too: it *wanders* when KVM takes it to another HART each time that it is
refused a line.  It is a livelock when one HART has refused it `RETURNS` times within one KVM_RUN,
and it has not entered its guest.  A vCPU that is refused again and again where it stays, or that
goes back to its monitor, is not meant: it starves, and the metrics `fail_entry`, `failed_time` and
`host_time` show that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from hgeisim.checks.finding import Finding
from hgeisim.kernel.main import Module
from hgeisim.kernel.structs import Thread, Vcpu
from hgeisim.machine.guest import EnterGuest
from hgeisim.machine.task import Runner
from hgeisim.machine.watch import done, entered, returned

RETURNS = 16
"""How often a line comes back before that is a livelock."""
Note: TypeAlias = Callable[[Finding, int, str], None]
Line: TypeAlias = tuple[int, int]
"""The number of a HART, and of a line there."""


@dataclass
class Round:
    """A line's way round since `since_ns`: `entries` has the vCPUs that have had it, each with the
    number of times that it had entered its guest, and `returns` is how often it came back."""

    since_ns: int
    entries: dict[int, int] = field(default_factory=dict)
    returns: int = 0


@dataclass
class Wandering:
    """A vCPU's way from HART to HART since `since_ns`: how often each has refused it a line."""

    since_ns: int
    last: int = -1
    refusals: Counter[int] = field(default_factory=Counter)


class Livelock:
    """Follows each line from vCPU to vCPU, while none of these enters its guest."""

    def __init__(self, k: Module, note: Note) -> None:
        self.k, self.note = k, note
        self.entries: Counter[int] = Counter()
        self.rounds: dict[Line, Round] = {}
        self.wandering: dict[int, Wandering] = {}

    @done(EnterGuest)
    def guest_entered(self, who: Runner, op: EnterGuest, waited_ns: int) -> None:
        """A vCPU gets further."""
        self.entries[op.vcpu] += 1
        self.wandering.pop(op.vcpu, None)

    @entered("kvm_arch_vcpu_ioctl_run")
    def run_begins(self, current: Thread, vcpu: Vcpu) -> None:
        """A vCPU's monitor decides anew where it runs."""
        self.wandering.pop(vcpu.id, None)

    @returned("kvm_riscv_aia_alloc_hgei")
    def handed_out(self, hgei: int, cpu: int, owner: Vcpu) -> None:
        """A vCPU asked for a line, and got one or none."""
        if hgei <= 0:
            self._refused(cpu, owner)
            return
        line = cpu, hgei
        going = self.rounds.get(line)
        if going is None or not self._in_vain(going):
            going = self.rounds[line] = Round(self.k.ktime_get())
        if owner.id in going.entries:
            going.returns += 1
        going.entries.setdefault(owner.id, self.entries[owner.id])
        if going.returns == RETURNS:
            self.note(
                Finding("livelock", "hgei", self._text(line)), going.since_ns, "this has lasted"
            )

    def _refused(self, cpu: int, vcpu: Vcpu) -> None:
        going = self.wandering.get(vcpu.id)
        if going is None or going.last == cpu:
            going = self.wandering[vcpu.id] = Wandering(self.k.ktime_get())
        going.last = cpu
        going.refusals[cpu] += 1
        if going.refusals[cpu] == RETURNS:
            harts = ", ".join(map(str, sorted(going.refusals)))
            text = (
                f"{vcpu.name} goes from HART to HART ({harts}) for a line, and enters no guest: "
                f"HART {cpu} has refused it {RETURNS} times"
            )
            self.note(Finding("livelock", "hgei", text), going.since_ns, "this has lasted")

    def _in_vain(self, going: Round) -> bool:
        """Whether none of the vCPUs has entered its guest since it first had the line."""
        return all(self.entries[vcpu] == then for vcpu, then in going.entries.items())

    def _text(self, line: Line) -> str:
        """The line, the vCPUs among which it and others go round, and the HARTs of these lines."""
        vcpus, harts = set(self.rounds[line].entries), set[int]()
        for (cpu, _), going in self.rounds.items():
            if going.returns and self._in_vain(going) and going.entries.keys() & vcpus:
                vcpus |= going.entries.keys()
                harts.add(cpu)
        names = ", ".join(self.k.vcpu(number).name for number in sorted(vcpus))
        where = f"HART{'s' if len(harts) > 1 else ''} {', '.join(map(str, sorted(harts)))}"
        return (
            f"lines of {where} go round among {names}, and no guest is entered: "
            f"HART {line[0]} line {line[1]} has come back {RETURNS} times"
        )
