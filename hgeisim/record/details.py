"""What is recorded beyond the timeline: owners, spans, vCPU time and locks.

None of it is part of the fingerprint, and a run goes the same way without it.
"""

from __future__ import annotations

from collections.abc import Callable

from hgeisim.kernel.structs import HgeiControl, Vcpu
from hgeisim.kernel.vcpu import FAIL_ENTRY
from hgeisim.machine.hart import Hart, bit
from hgeisim.machine.interrupt_file import topei
from hgeisim.machine.task import Runner
from hgeisim.record import vcpu_time
from hgeisim.record.locks import LockTable
from hgeisim.record.owners import Owners
from hgeisim.record.spans import (
    ATTACH,
    FALLBACK,
    MOVE,
    MSI_SWFILE,
    MSI_VSFILE,
    REFUSED,
    SGEI_SERVED,
    SGEI_TAKEN,
    Spans,
)
from hgeisim.record.timeline import ALLOC, FAIL
from hgeisim.record.vcpu_time import VcpuTime

NOBODY_MOVED = -1
"""The origin of a span that is no update."""


class Details:
    """Follows interrupts and vCPUs, told by probes and by observers of operations.

    `now` tells the time in ns.
    """

    def __init__(
        self, harts: list[Hart], controls: list[HgeiControl], now: Callable[[], int]
    ) -> None:
        self.now, self.harts, self.controls = now, harts, controls
        self.spans, self.owners = Spans(), Owners(controls)
        self.locks = LockTable(hgctrl.lock for hgctrl in controls)
        self.vcpus: dict[int, VcpuTime] = {}
        self._raised: list[dict[int, int]] = [{} for _ in harts]
        self._served: dict[int, tuple[int, int, int]] = {}
        self._arrived: dict[int, list[tuple[int, int]]] = {}
        self._writing: dict[Runner, int] = {}
        self._asked: dict[int, int] = {}

    # SGEI

    def sample(self, hart: Hart) -> None:
        """Note which lines of a HART raise SGEI since now, and which do not any more."""
        raised = self._raised[hart.id]
        pending = hart.hgeip & hart.hgeie if hart.sgeie else 0
        if not (pending or raised):
            return
        for line in [line for line in raised if not pending & bit(line)]:
            del raised[line]
        for line in range(1, hart.geilen + 1):
            if pending & bit(line) and line not in raised:
                raised[line] = self.now()

    def sgei_taken(self, hart: Hart) -> None:
        """The handler reads which lines are pending and enabled; then it kicks their owners."""
        now_ns, raised = self.now(), self._raised[hart.id]
        for line in [line for line in raised if hart.hgeip & hart.hgeie & bit(line)]:
            owner = self.controls[hart.id].owners[line]
            place = hart.id, NOBODY_MOVED, owner, line
            self.spans.add(SGEI_TAKEN, raised.pop(line), now_ns, place)
            if owner:
                self._served.setdefault(owner, (now_ns, hart.id, line))

    # MSIs

    def page_write(self, current: Runner) -> None:
        """A guest stores to an IMSIC page; see `page_written`."""
        self._writing[current] = self.now()

    def page_written(self, current: Runner, vcpu: Vcpu, iid: int) -> None:
        """The store is done; without a trap to KVM it went straight into a VS-file."""
        start_ns = self._writing.pop(current, None)
        if start_ns is not None:
            self._arrived.setdefault(vcpu.id, []).append((iid, start_ns))
            self.msi_stored(vcpu)

    def msi_arrives(self, current: Runner, vcpu: Vcpu, iid: int) -> None:
        """KVM injects an MSI."""
        start_ns = self._writing.pop(current, None)
        arrived = iid, self.now() if start_ns is None else start_ns
        self._arrived.setdefault(vcpu.id, []).append(arrived)

    def msi_stored(self, vcpu: Vcpu) -> None:
        """A guest that runs on its VS-file has the MSI at once."""
        if vcpu.vsfile_cpu >= 0 and self.harts[vcpu.vsfile_cpu].guest == vcpu.id:
            self._deliver(MSI_VSFILE, vcpu, self._in_vsfile(vcpu), vcpu.vsfile_hgei)

    def msi_claimed(self, vcpu: Vcpu, claim: int) -> None:
        """The guest has claimed an identity from its SW-file, a trap; 0 for none."""
        if claim:
            self._deliver(MSI_SWFILE, vcpu, bit(claim), 0)

    def _in_vsfile(self, vcpu: Vcpu) -> int:
        hart = self.harts[vcpu.vsfile_cpu]
        return hart.eip[vcpu.vsfile_hgei] if hart.has_file(vcpu.vsfile_hgei) else 0

    def _deliver(self, kind: int, vcpu: Vcpu, identities: int, line: int) -> None:
        """The guest has all MSIs of these identities (a mask) that arrived."""
        arrived = self._arrived.get(vcpu.id)
        if not arrived or not identities:
            return
        place = vcpu.thread.cpu, NOBODY_MOVED, vcpu.id, line
        for iid, start_ns in arrived:
            if identities & bit(iid):
                self.spans.add(kind, start_ns, self.now(), place)
        self._arrived[vcpu.id] = [each for each in arrived if not identities & bit(each[0])]

    # vCPUs

    def born(self, vcpu: Vcpu) -> None:
        """A vCPU was made."""
        self.vcpus[vcpu.id] = VcpuTime(vcpu, self.now(), self.now())

    def become(self, vcpu: Vcpu, state: int) -> None:
        """A vCPU is in another state from now on."""
        self.vcpus[vcpu.id].become(state, self.now())

    def gone(self, vcpu: Vcpu) -> None:
        """A vCPU was destroyed."""
        self.vcpus[vcpu.id].end(self.now())

    def entered(self, vcpu: Vcpu) -> None:
        """A guest begins to run: it sees what its VS-file holds, and serves its SGEI."""
        self.become(vcpu, vcpu_time.VSFILE if vcpu.vgein else vcpu_time.SWFILE)
        if vcpu.id in self._served:
            start_ns, hart, line = self._served.pop(vcpu.id)
            place = hart, NOBODY_MOVED, vcpu.id, line
            self.spans.add(SGEI_SERVED, start_ns, self.now(), place)
        if vcpu.vgein and vcpu.vsfile_cpu >= 0:
            self._deliver(MSI_VSFILE, vcpu, self._in_vsfile(vcpu), vcpu.vgein)

    def asked(self, kind: int, vcpu: int) -> None:
        """A vCPU asked for a line and got one (ALLOC) or none (FAIL)."""
        if kind in (ALLOC, FAIL):
            self._asked[vcpu] = kind

    def updated(self, vcpu: Vcpu, start_ns: int, origin: int, ret: int) -> None:
        """imsic_update returned `ret`; before, the VS-file of the vCPU was on HART `origin`."""
        asked = self._asked.pop(vcpu.id, None)
        if asked is None:
            return
        if asked == FAIL:
            kind = REFUSED if ret <= FAIL_ENTRY else FALLBACK
        else:
            kind = ATTACH if origin < 0 else MOVE
        if kind == REFUSED:
            self.become(vcpu, vcpu_time.FAILED)
        place = vcpu.thread.cpu, origin, vcpu.id, vcpu.vgein if asked == ALLOC else 0
        self.spans.add(kind, start_ns, self.now(), place)


def claim_of(vcpu: Vcpu) -> int:
    """The identity that a guest would claim from its SW-file now, 0 for none."""
    swfile = vcpu.swfile
    return topei(swfile.eip, swfile.eie, swfile.eithreshold)
