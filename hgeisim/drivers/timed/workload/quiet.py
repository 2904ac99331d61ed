"""The quiet end of a run: every vCPU that can enter its guest is to take one more interrupt.

No HART goes offline or comes online any more, and nobody moves a vCPU, so no race is going on: a
vCPU that takes no interrupt now takes none for ever.  A device sends each vCPU one, and a vCPU that
has taken it on a SW-file a second one, for what it does after its first.

A vCPU is accused once it has had enough of that time, on a HART or asleep; a stretch in which it
waited for a HART, or in which its guest ran on its VS-file, counts for nothing.  A vCPU whose guest
has lost what it has set up is not accused: another finding says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from hgeisim.checks.conservation import SetUpKept, looked_at, place_looked_at
from hgeisim.checks.finding import ELSEWHERE, Cause, Finding
from hgeisim.drivers.timed.workload.host import Host, Process
from hgeisim.drivers.timed.workload.interrupts import injection
from hgeisim.kernel.structs import EMUL, HWACCEL, Thread, Vcpu
from hgeisim.machine.balance import frames
from hgeisim.machine.guest import EnterGuest
from hgeisim.machine.hart import bit
from hgeisim.machine.task import Runner
from hgeisim.machine.watch import done, entered, returned

NONE, FIRST, SECOND = 0, 3, 4
"""The identities that are sent; guests enable them, and nothing else sends them.  A guest that has
not set its interrupt file up is to do that first."""
WANTED = {
    NONE: "has not set its interrupt file up, though it was there before",
    FIRST: "has not taken the interrupt of the quiet end, sent at",
    SECOND: "has not taken the second interrupt of the quiet end, sent at",
}
INSPECTIONS = 64
"""How often the vCPUs are looked at in the quiet time."""
ENOUGH = INSPECTIONS // 2
"""A vCPU is accused that was found on a HART or asleep so often, and has taken nothing."""
HAS_HART, ASLEEP, WAITS, IN_GUEST = "had a HART", "slept", "waited for a HART", "was in its guest"
SET_UP_KEPT = SetUpKept()
COUNTING = (HAS_HART, ASLEEP)
"""Where a vCPU, or the kernel for it, could have done something."""


@dataclass
class Asked:
    """A vCPU to which a device sends an identity at a time, or of which is wanted that its guest
    sets its interrupt file up.

    `delivered` is how many its guest has taken in all, `found` how often it was found in which
    place since it has taken one.
    """

    vcpu: Vcpu
    iid: int
    sent_ns: int
    delivered: int
    found: Counter[str] = field(default_factory=Counter)

    @property
    def pending(self) -> bool:
        """Whether its guest has still to take it."""
        ledger = self.vcpu.ledger
        if self.iid == NONE:
            return not ledger.setup
        return not ledger.sent & bit(self.iid) or bool(ledger.owed & bit(self.iid))

    @property
    def had_enough(self) -> bool:
        """Whether it could have taken it."""
        return self.pending and sum(self.found[place] for place in COUNTING) >= ENOUGH


class QuietTime:
    """Sends the interrupts, looks on, and says in the end who has not taken them."""

    def __init__(self, host: Host, lasts_ns: int) -> None:
        self.host, self.k, self.lasts_ns = host, host.k, lasts_ns
        self.asked: list[Asked] = []
        self.hotplug = 0
        self.refused: dict[int, None] = {}
        self.starved = Counter[int]()

    @returned("kvm_riscv_vcpu_aia_imsic_update")
    def updated(self, ret: int, current: Thread, vcpu: Vcpu) -> None:
        """The entry of a vCPU is granted or refused; HWACCEL without a line can do nothing else."""
        if ret > 0:
            self.refused.pop(vcpu.id, None)
        elif vcpu.vm.aia_mode == HWACCEL and self._all_in_use(current.cpu):
            self.refused[vcpu.id] = None
            self.starved[vcpu.id] += 1

    @done(EnterGuest)
    def guest_entered(self, who: Runner, op: EnterGuest, waited_ns: int) -> None:
        """It is in its guest: whatever it lacked, it has it."""
        self.starved.pop(op.vcpu, None)

    @entered("cpu_down", "cpu_up")
    def hotplug_begins(self, current: Thread, cpu: int) -> None:
        """A HART goes offline or comes online."""
        self.hotplug += 1

    @returned("cpu_down", "cpu_up")
    def hotplug_ends(self, ret: int, current: Thread, cpu: int) -> None:
        """It has."""
        self.hotplug -= 1

    def _all_in_use(self, cpu: int) -> bool:
        """Whether each line of a HART has an owner whose VS-file it is."""
        hgctrl = self.k.hgei[cpu]
        for line in range(1, self.k.nr_hgei(hgctrl) + 1):
            owner = self.k.vcpu(hgctrl.owners[line]) if hgctrl.owners[line] else None
            if owner is None or (owner.vsfile_cpu, owner.vsfile_hgei) != (cpu, line):
                return False
        return True

    def process(self) -> Process:
        """Ask all when the quiet has begun and no HART is on its way any more; then look at them
        until the run ends."""
        look_ns = self.lasts_ns // INSPECTIONS
        yield self.host.env.timeout(self.host.quiet_ns - self.host.env.now)
        self.starved.clear()
        while self.hotplug:
            yield self.host.env.timeout(look_ns)
        for vcpu in self.host.vcpus:
            if vcpu.vm.aia_mode != EMUL and vcpu.id not in self.refused:
                self.asked.append(self._send(vcpu, FIRST if vcpu.ledger.setup else NONE))
        while True:
            yield self.host.env.timeout(look_ns)
            self.asked = [self._looked_at(each) for each in self.asked if not each.vcpu.stop]

    def _send(self, vcpu: Vcpu, iid: int) -> Asked:
        host, tally = self.host, vcpu.ledger.tally
        if iid != NONE:
            cpu = host.hart_from(vcpu.thread.cpu, host.all_harts)
            host.driver.interrupt(cpu, injection(host, vcpu, iid))
        return Asked(vcpu, iid, int(host.env.now), tally.delivered if tally else 0)

    def _looked_at(self, asked: Asked) -> Asked:
        """Note where a vCPU is; send it the next one when it is ready for that."""
        vcpu, tally = asked.vcpu, asked.vcpu.ledger.tally
        if asked.iid == NONE and not asked.pending:
            return self._send(vcpu, FIRST)
        if asked.iid == FIRST and not asked.pending and vcpu.vsfile_cpu < 0:
            return self._send(vcpu, SECOND)
        if tally and tally.delivered != asked.delivered:
            asked.delivered = tally.delivered
            asked.found.clear()
        elif vcpu.id not in self.refused:
            asked.found[self._place(vcpu)] += 1
        return asked

    def _place(self, vcpu: Vcpu) -> str:
        """Where a vCPU is: what it can do depends on it."""
        core = self.host.driver.cores[vcpu.thread.cpu]
        if any(waiting.task is vcpu.thread for waiting in core.queue):
            return WAITS
        if core.running is not vcpu.thread:
            return ASLEEP
        looks = (core.hart.id, vcpu.vgein) == (vcpu.vsfile_cpu, vcpu.vsfile_hgei)
        return IN_GUEST if core.hart.guest == vcpu.id and looks else HAS_HART

    def findings(self) -> Iterator[tuple[int, Finding]]:
        """Yield what is wrong when the run ends, and since when in ns."""
        accused = [each for each in self.asked if self._is_unserved(each)]
        if accused:
            text = f"{self._said_of(accused[0])}{_others(accused[1:])}"
            elsewhere = all(_sleeps_elsewhere(each.vcpu) for each in accused)
            cause = Cause(frozenset([ELSEWHERE] if elsewhere else []))
            yield accused[0].sent_ns, Finding("unserved", "vcpu", text, cause)
        starving = [vcpu for vcpu in self.host.vcpus if self.starved[vcpu.id]]
        if starving:
            yield int(self.host.quiet_ns), Finding("starves", "vcpu", self._of_starving(starving))

    def _is_unserved(self, asked: Asked) -> bool:
        """Whether a vCPU that has not lost what it has set up had enough time."""
        kept = not any(SET_UP_KEPT.of(self.k, asked.vcpu))
        return asked.had_enough and kept and asked.vcpu.id not in self.refused

    def _said_of(self, asked: Asked) -> str:
        """What a vCPU has not taken, what it did instead, and where its interrupt waits."""
        vcpu, one_ns = asked.vcpu, self.lasts_ns // INSPECTIONS
        times = (f"{place} for {n * one_ns / 1000:.0f} us" for place, n in asked.found.items())
        return (
            f"{vcpu.name} {WANTED[asked.iid]} {asked.sent_ns / 1e6:.3f} ms; since it took one, or "
            f"since then, it {', '.join(times)}. It {self._at(vcpu)}. {self._interrupt_of(vcpu)}"
        )

    def _at(self, vcpu: Vcpu) -> str:
        """Where a vCPU is now, and what it waits for."""
        wait, cpu = self.host.driver.waits.of(vcpu.thread), vcpu.thread.cpu
        inside = [frame.__name__ for frame in frames(self.k.watch.paths.get(vcpu.thread))]
        where = f"HART {cpu}, in {inside[-1]}" if inside else f"HART {cpu}"
        place = self._place(vcpu)
        if place != ASLEEP:
            return f"{'waits for' if place == WAITS else 'has'} {where}"
        what = "sleeps in WFI" if vcpu.wait.waiter or wait is None else f"waits at {wait.op}"
        return f"{what}; its last was {where}"

    def _interrupt_of(self, vcpu: Vcpu) -> str:
        """What stands in the way: the file, what is armed, what is pending."""
        file = looked_at(self.k, vcpu)
        text = f"Its guest looks at {place_looked_at(self.k, vcpu)}: eidelivery = "
        text = f"{text}{file.eidelivery}, eie = {file.eie:#x}, eip = {file.eip:#x}"
        if vcpu.vsfile_cpu >= 0:
            hart = self.k.hart[vcpu.vsfile_cpu]
            armed = "armed" if hart.hgeie & bit(vcpu.vsfile_hgei) else "clear"
            text = f"{text}; HGEIE of the line is {armed}, hie.SGEIE = {hart.sgeie}"
        return (
            f"{text}; irqs_pending = {vcpu.irqs_pending:#x}, to be flushed "
            f"{vcpu.irqs_pending_mask:#x}, hvip = {vcpu.hvip:#x}, requests = {vcpu.requests:#x}"
        )

    def _of_starving(self, starving: list[Vcpu]) -> str:
        times = sum(self.starved[vcpu.id] for vcpu in starving)
        return (
            f"{starving[0].name} has not entered its guest for the last "
            f"{self.lasts_ns / 1000:.0f} us: in mode hwaccel, and all lines of its HART are in use"
            f"{_others(starving[1:])}; {times} entries were refused"
        )


def _others(more: Sequence[object]) -> str:
    """How many are like the one that is named."""
    return f" ({len(more)} more like it)" if more else ""


def _sleeps_elsewhere(vcpu: Vcpu) -> bool:
    """Whether it is on another HART than that of its VS-file."""
    return vcpu.vsfile_cpu not in (-1, vcpu.thread.cpu)
