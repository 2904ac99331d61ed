"""The table of spans: things that took time, such as interrupts on their way to a guest.

Spans are not part of the fingerprint, and recording them does not change a run.
"""

from __future__ import annotations

from hgeisim.kernel.main import Module
from hgeisim.kernel.structs import Caller, Thread, Vcpu
from hgeisim.kernel.vcpu import FAIL_ENTRY
from hgeisim.machine.guest import EnterGuest
from hgeisim.machine.hart import Hart, bit
from hgeisim.machine.interrupt_file import topei
from hgeisim.machine.ipi import SampleSgei
from hgeisim.machine.task import Runner
from hgeisim.machine.watch import done, entered, returned
from hgeisim.runs.tables import (
    ATTACH,
    FAILING,
    FALLBACK,
    IN_GUEST,
    IN_HOST,
    IN_WFI,
    MOVE,
    MSI_SWFILE,
    MSI_VSFILE,
    REFUSED,
    RUNNABLE,
    SGEI_SERVED,
    SGEI_TAKEN,
    Records,
    Spans,
    span_records,
)

NO_ORIGIN = -1
"""The origin of a span that is not a vCPU's search for a VS-file."""


class Latencies:
    """Follows SGEIs from HGEIE to the guest, MSIs to their claim, and searches for a VS-file."""

    def __init__(self, k: Module) -> None:
        self.k, self.now, self.harts = k, k.ktime_get, k.hart
        self.spans = Spans()
        self._raised: list[dict[int, int]] = [{} for _ in k.hart]
        self._served: dict[int, tuple[int, int, int, int]] = {}
        self._arrived: dict[int, list[tuple[int, int, int]]] = {}
        self._writing: dict[Runner, tuple[int, int]] = {}
        self._halted: dict[int, None] = {}
        self._failed: dict[int, None] = {}
        self._claiming: dict[Runner, int] = {}
        self._updating: dict[Runner, tuple[int, int]] = {}
        self._got_line: dict[int, bool] = {}

    def table(self, end_ns: int) -> Records:
        """A row for each completed span."""
        return span_records(self.spans)

    # SGEI

    def sample(self, hart: Hart) -> None:
        """Note which lines of a HART raise SGEI from now on, and which no longer do."""
        raised = self._raised[hart.id]
        pending = hart.hgeip & hart.hgeie if hart.sgeie else 0
        if not (pending or raised):
            return
        for line in [line for line in raised if not pending & bit(line)]:
            del raised[line]
        for line in range(1, hart.geilen + 1):
            if pending & bit(line) and line not in raised:
                raised[line] = self.now()

    @done(SampleSgei)
    def sampled(self, who: Runner, op: SampleSgei, waited_ns: int) -> None:
        """The SGEI level of a HART may have changed."""
        self.sample(self.harts[op.cpu])

    @returned("disarm_new_line")
    def disarmed(self, ret: None, cpu: int, hgei: int) -> None:
        """A line is no longer enabled."""
        self.sample(self.harts[cpu])

    @returned("kvm_riscv_aia_disable")
    def disabled(self, ret: None, current: Caller) -> None:
        """No line of this HART is enabled any more."""
        self.sample(current.hart)

    @entered("hgei_interrupt")
    def sgei_taken(self, current: Runner) -> None:
        """The handler reads which lines are pending and enabled; then it kicks their owners."""
        hart = current.hart
        now_ns, raised = self.now(), self._raised[hart.id]
        for line in [line for line in raised if hart.hgeip & hart.hgeie & bit(line)]:
            owner = self.k.hgei[hart.id].owners[line]
            place = hart.id, NO_ORIGIN, owner, line
            self.spans.add(SGEI_TAKEN, raised.pop(line), now_ns, place)
            if owner:
                met = self._met(self.k.vcpu(owner))
                self._served.setdefault(owner, (now_ns, hart.id, line, met))

    # MSIs

    @entered("imsic_page_write")
    def page_write(self, current: Runner, vcpu: Vcpu, iid: int) -> None:
        """A guest stores to an IMSIC page; see `page_written`."""
        self._writing[current] = self.now(), self._met(vcpu)

    @returned("imsic_page_write")
    def page_written(self, ret: None, current: Runner, vcpu: Vcpu, iid: int) -> None:
        """The store is done; without a trap to KVM it went directly into a VS-file."""
        began = self._writing.pop(current, None)
        if began is not None:
            self._arrived.setdefault(vcpu.id, []).append((iid, *began))
            self._stored(vcpu)

    @entered("kvm_riscv_vcpu_aia_imsic_inject")
    def msi_arrives(self, current: Runner, vcpu: Vcpu, iid: int) -> None:
        """KVM injects an MSI."""
        began = self._writing.pop(current, None) or (self.now(), self._met(vcpu))
        self._arrived.setdefault(vcpu.id, []).append((iid, *began))

    @returned("kvm_riscv_vcpu_aia_imsic_inject")
    def msi_stored(self, ret: None, current: Runner, vcpu: Vcpu, iid: int) -> None:
        """KVM has injected it."""
        self._stored(vcpu)

    @entered("kvm_riscv_vcpu_aia_imsic_rmw_topei")
    def msi_claiming(self, current: Thread, vcpu: Vcpu) -> None:
        """The guest claims from its SW-file by a trap."""
        self._claiming[current] = claim_of(vcpu)

    @returned("kvm_riscv_vcpu_aia_imsic_rmw_topei")
    def msi_claimed(self, ret: int, current: Thread, vcpu: Vcpu) -> None:
        """The guest has claimed an identity, if there was one."""
        claim = self._claiming.pop(current)
        if claim:
            self._deliver(MSI_SWFILE, vcpu, bit(claim), 0)

    def _stored(self, vcpu: Vcpu) -> None:
        """Deliver an MSI immediately to a guest that is running on its VS-file."""
        if vcpu.vsfile_cpu >= 0 and self.harts[vcpu.vsfile_cpu].guest == vcpu.id:
            self._deliver(MSI_VSFILE, vcpu, self._in_vsfile(vcpu), vcpu.vsfile_hgei)

    def _in_vsfile(self, vcpu: Vcpu) -> int:
        hart = self.harts[vcpu.vsfile_cpu]
        return hart.eip[vcpu.vsfile_hgei] if hart.has_file(vcpu.vsfile_hgei) else 0

    def _deliver(self, kind: int, vcpu: Vcpu, identities: int, line: int) -> None:
        """The guest has received all arrived MSIs of these identities (a mask)."""
        arrived = self._arrived.get(vcpu.id)
        if not arrived or not identities:
            return
        place = vcpu.thread.cpu, NO_ORIGIN, vcpu.id, line
        for iid, start_ns, met in arrived:
            if identities & bit(iid):
                self.spans.add(kind, start_ns, self.now(), place, met)
        self._arrived[vcpu.id] = [each for each in arrived if not identities & bit(each[0])]

    # vCPUs

    def _met(self, vcpu: Vcpu) -> int:
        """The state of a vCPU when an interrupt comes for it."""
        thread = vcpu.thread
        if self.harts[thread.cpu].guest == vcpu.id:
            return IN_GUEST
        if vcpu.id in self._failed:
            return FAILING
        if thread.on_rq and not thread.on_cpu:
            return RUNNABLE
        return IN_WFI if vcpu.id in self._halted else IN_HOST

    @entered("kvm_vcpu_halt")
    def halts(self, current: Thread, vcpu: Vcpu) -> None:
        """A vCPU waits for an interrupt, polling or asleep."""
        self._halted[vcpu.id] = None

    @returned("kvm_vcpu_halt")
    def goes_on(self, ret: None, current: Thread, vcpu: Vcpu) -> None:
        """The wait is over."""
        self._halted.pop(vcpu.id, None)

    @done(EnterGuest)
    def guest_entered(self, who: Runner, op: EnterGuest, waited_ns: int) -> None:
        """A guest starts to run: it sees the contents of its VS-file, and serves its SGEI."""
        vcpu = self.k.vcpu(op.vcpu)
        self._failed.pop(vcpu.id, None)
        if vcpu.id in self._served:
            start_ns, hart, line, met = self._served.pop(vcpu.id)
            place = hart, NO_ORIGIN, vcpu.id, line
            self.spans.add(SGEI_SERVED, start_ns, self.now(), place, met)
        if vcpu.vgein and vcpu.vsfile_cpu >= 0:
            self._deliver(MSI_VSFILE, vcpu, self._in_vsfile(vcpu), vcpu.vgein)

    @entered("kvm_riscv_vcpu_aia_imsic_update")
    def updating(self, current: Thread, vcpu: Vcpu) -> None:
        """A vCPU looks for a VS-file on its way into the guest."""
        self._updating[current] = self.now(), vcpu.vsfile_cpu

    @returned("kvm_riscv_aia_alloc_hgei")
    def asked(self, hgei: int, cpu: int, owner: Vcpu) -> None:
        """A vCPU asked for a line, and got one or none."""
        self._got_line[owner.id] = hgei > 0

    @returned("kvm_riscv_vcpu_aia_imsic_update")
    def updated(self, ret: int, current: Thread, vcpu: Vcpu) -> None:
        """The search is over: a span, if the vCPU had to ask for a line."""
        start_ns, origin = self._updating.pop(current)
        if ret <= FAIL_ENTRY:
            self._failed[vcpu.id] = None
        got_line = self._got_line.pop(vcpu.id, None)
        if got_line is None:
            return
        if got_line:
            kind = ATTACH if origin < 0 else MOVE
        else:
            kind = REFUSED if ret <= FAIL_ENTRY else FALLBACK
        place = vcpu.thread.cpu, origin, vcpu.id, vcpu.vgein if got_line else 0
        self.spans.add(kind, start_ns, self.now(), place)


def claim_of(vcpu: Vcpu) -> int:
    """The identity that a guest would claim from its SW-file now, 0 if there is none."""
    swfile = vcpu.swfile
    return topei(swfile.eip, swfile.eie, swfile.eithreshold)
