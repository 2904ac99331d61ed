"""The quiet end of a run: every vCPU that can enter its guest has to take one more interrupt.

No HART goes offline or comes online any more, and no vCPU is moved, so no race is in progress: a
vCPU that takes no interrupt now never will.  A device sends one to each vCPU, and a second one to a
vCPU that has taken the first on a SW-file, to see that it still takes interrupts after that.

A vCPU is reported as unserved once it has had enough of this time on a HART or asleep; time in
which it waited for a HART, or in which its guest ran on its VS-file, does not count.  A vCPU whose
guest has lost its interrupt set-up is not reported: another finding says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from hgeisim.checks.conservation import SetUpKept, looked_at, place_looked_at
from hgeisim.checks.finding import ELSEWHERE, Cause, Finding
from hgeisim.drivers.timed.workload.host import Host, Process
from hgeisim.drivers.timed.workload.interrupts import send
from hgeisim.kernel.structs import EMUL, HWACCEL, Thread, Vcpu
from hgeisim.machine.balance import frames
from hgeisim.machine.guest import EnterGuest
from hgeisim.machine.hart import bit
from hgeisim.machine.task import Runner
from hgeisim.machine.watch import done, entered, returned

NONE, FIRST, SECOND = 0, 3, 4
"""The identities that are sent: guests enable them, and nothing else sends them.  A guest that has
not set its interrupt file up is expected to do that first, and gets NONE."""
UNSERVED = {
    NONE: "has not set its interrupt file up, though it was there before",
    FIRST: "has not taken the interrupt of the quiet end, sent at",
    SECOND: "has not taken the second interrupt of the quiet end, sent at",
}
INSPECTIONS = 64
"""How often the vCPUs are inspected in the quiet time."""
ENOUGH = INSPECTIONS // 2
"""A vCPU that was found on a HART or asleep this often and has taken nothing is unserved."""
HAS_HART, ASLEEP, WAITS, IN_GUEST = "had a HART", "slept", "waited for a HART", "was in its guest"
SET_UP_KEPT = SetUpKept()
COUNTING = (HAS_HART, ASLEEP)
"""The places in which a vCPU, or the kernel for it, could have done something."""


@dataclass
class Delivery:
    """A vCPU to which a device sent the identity `iid` at `sent_ns`; with NONE its guest has to set
    its interrupt file up.

    `taken` is how many interrupts its guest has taken in all, `found` how often inspections
    found it in each place since it took the last one.
    """

    vcpu: Vcpu
    iid: int
    sent_ns: int
    taken: int
    found: Counter[str] = field(default_factory=Counter)

    @property
    def pending(self) -> bool:
        """Whether its guest has not yet done what it has to."""
        ledger = self.vcpu.ledger
        if self.iid == NONE:
            return not ledger.setup
        return not ledger.sent & bit(self.iid) or bool(ledger.owed & bit(self.iid))

    @property
    def failed(self) -> bool:
        """Whether its guest has not, though it had enough time."""
        return self.pending and sum(self.found[place] for place in COUNTING) >= ENOUGH


class QuietTime:
    """Sends the interrupts, inspects the vCPUs, and reports at the end those that took none.

    `refused` are the vCPUs whose entry is refused for want of a line, `starved` counts the refusals
    of each since it last entered its guest, `hotplug` the HARTs that are on their way.
    """

    def __init__(self, host: Host, lasts_ns: int) -> None:
        self.host, self.k, self.lasts_ns = host, host.k, lasts_ns
        self.deliveries: list[Delivery] = []
        self.hotplug = 0
        self.refused: dict[int, None] = {}
        self.starved = Counter[int]()

    @returned("kvm_riscv_vcpu_aia_imsic_update")
    def updated(self, ret: int, current: Thread, vcpu: Vcpu) -> None:
        """The entry of a vCPU is granted or refused; without a line, HWACCEL can only refuse."""
        if ret > 0:
            self.refused.pop(vcpu.id, None)
        elif vcpu.vm.aia_mode == HWACCEL and self._all_in_use(current.cpu):
            self.refused[vcpu.id] = None
            self.starved[vcpu.id] += 1

    @done(EnterGuest)
    def guest_entered(self, who: Runner, op: EnterGuest, waited_ns: int) -> None:
        """A vCPU is in its guest: it has the line that it lacked."""
        self.starved.pop(op.vcpu, None)

    @entered("cpu_down", "cpu_up")
    def hotplug_begins(self, current: Thread, cpu: int) -> None:
        """A HART goes offline or comes online."""
        self.hotplug += 1

    @returned("cpu_down", "cpu_up")
    def hotplug_ends(self, ret: int, current: Thread, cpu: int) -> None:
        """A HART is offline or online."""
        self.hotplug -= 1

    def _all_in_use(self, cpu: int) -> bool:
        """Whether each line of a HART has an owner that uses its VS-file."""
        hgctrl = self.k.hgei[cpu]
        for line in range(1, self.k.nr_hgei(hgctrl) + 1):
            owner = self.k.vcpu(hgctrl.owners[line]) if hgctrl.owners[line] else None
            if owner is None or (owner.vsfile_cpu, owner.vsfile_hgei) != (cpu, line):
                return False
        return True

    def process(self) -> Process:
        """Test all vCPUs once the quiet time has begun and no HART is on its way any more; then
        inspect them until the run ends."""
        inspect_ns = self.lasts_ns // INSPECTIONS
        yield self.host.env.timeout(self.host.quiet_ns - self.host.env.now)
        self.starved.clear()
        while self.hotplug:
            yield self.host.env.timeout(inspect_ns)
        for vcpu in self.host.vcpus:
            if vcpu.vm.aia_mode != EMUL and vcpu.id not in self.refused:
                self.deliveries.append(self._send(vcpu, FIRST if vcpu.ledger.setup else NONE))
        while True:
            yield self.host.env.timeout(inspect_ns)
            going_on = [each for each in self.deliveries if not each.vcpu.stop]
            self.deliveries = [self._inspect(delivery) for delivery in going_on]

    def _send(self, vcpu: Vcpu, iid: int) -> Delivery:
        host, tally = self.host, vcpu.ledger.tally
        if iid != NONE:
            send(host, vcpu.thread.cpu, vcpu, iid)
        return Delivery(vcpu, iid, int(host.env.now), tally.delivered if tally else 0)

    def _inspect(self, delivery: Delivery) -> Delivery:
        """Note where a vCPU is; send it the next identity if it is ready for that."""
        vcpu, tally = delivery.vcpu, delivery.vcpu.ledger.tally
        if delivery.iid == NONE and not delivery.pending:
            return self._send(vcpu, FIRST)
        if delivery.iid == FIRST and not delivery.pending and vcpu.vsfile_cpu < 0:
            return self._send(vcpu, SECOND)
        if tally and tally.delivered != delivery.taken:
            delivery.taken = tally.delivered
            delivery.found.clear()
        elif vcpu.id not in self.refused:
            delivery.found[self._place(vcpu)] += 1
        return delivery

    def _place(self, vcpu: Vcpu) -> str:
        """The place of a vCPU, on which depends what it can do."""
        core = self.host.driver.cores[vcpu.thread.cpu]
        if any(waiting.task is vcpu.thread for waiting in core.queue):
            return WAITS
        if core.running is not vcpu.thread:
            return ASLEEP
        on_vsfile = (core.hart.id, vcpu.vgein) == (vcpu.vsfile_cpu, vcpu.vsfile_hgei)
        return IN_GUEST if core.hart.guest == vcpu.id and on_vsfile else HAS_HART

    def findings(self) -> Iterator[tuple[int, Finding]]:
        """Yield each finding when the run ends, and since when in ns."""
        unserved = [delivery for delivery in self.deliveries if self._is_unserved(delivery)]
        if unserved:
            text = f"{self._text_of(unserved[0])}{_others(unserved[1:])}"
            # On another HART than that of its VS-file, where an SGEI does not reach it.
            vcpus = [delivery.vcpu for delivery in unserved]
            elsewhere = all(vcpu.vsfile_cpu not in (-1, vcpu.thread.cpu) for vcpu in vcpus)
            cause = Cause(frozenset([ELSEWHERE] if elsewhere else []))
            yield unserved[0].sent_ns, Finding("unserved", "vcpu", text, cause)
        starving = [vcpu for vcpu in self.host.vcpus if self.starved[vcpu.id]]
        if starving:
            yield int(self.host.quiet_ns), Finding("starves", "vcpu", self._of_starving(starving))

    def _is_unserved(self, delivery: Delivery) -> bool:
        """Whether a vCPU has failed that kept its set-up and was not refused."""
        kept = not any(SET_UP_KEPT.of(self.k, delivery.vcpu))
        return delivery.failed and kept and delivery.vcpu.id not in self.refused

    def _text_of(self, delivery: Delivery) -> str:
        """The text of a finding: what a vCPU has not taken, what it did instead, and where its
        interrupt waits."""
        vcpu, one_ns = delivery.vcpu, self.lasts_ns // INSPECTIONS
        times = (f"{place} for {n * one_ns / 1000:.0f} us" for place, n in delivery.found.items())
        return (
            f"{vcpu.name} {UNSERVED[delivery.iid]} {delivery.sent_ns / 1e6:.3f} ms; since it took "
            f"one, or since then, it {', '.join(times)}. It {self._at(vcpu)}. "
            f"{self._interrupt_of(vcpu)}"
        )

    def _at(self, vcpu: Vcpu) -> str:
        """The place of a vCPU now, and what it waits for."""
        wait, cpu = self.host.driver.waits.of(vcpu.thread), vcpu.thread.cpu
        inside = [frame.__name__ for frame in frames(self.k.watch.paths.get(vcpu.thread))]
        where = f"HART {cpu}, in {inside[-1]}" if inside else f"HART {cpu}"
        place = self._place(vcpu)
        if place != ASLEEP:
            return f"{'waits for' if place == WAITS else 'has'} {where}"
        what = "sleeps in WFI" if vcpu.wait.waiter or wait is None else f"waits at {wait.op}"
        return f"{what}; its last was {where}"

    def _interrupt_of(self, vcpu: Vcpu) -> str:
        """The state that decides whether an interrupt arrives: the file, the line, KVM's masks."""
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
    """The number of vCPUs like the one that is named."""
    return f" ({len(more)} more like it)" if more else ""
