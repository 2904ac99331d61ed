"""A closed load: guests that ask a device, and do nothing more until it has answered.

So the work that gets done depends on how soon interrupts arrive: what a line buys is throughput.
"""

from __future__ import annotations

from hgeisim.drivers.timed.workload.host import Host, Process
from hgeisim.drivers.timed.workload.interrupts import send
from hgeisim.kernel.script import IID
from hgeisim.kernel.structs import Thread, Vcpu
from hgeisim.machine.hart import bit
from hgeisim.machine.watch import entered
from hgeisim.scenario.timing import Law


class ClosedLoad:
    """Sends each vCPU an MSI some time after it has asked.

    A guest asks at the end of a stretch of work, when it waits for an interrupt (WFI) and has taken
    the last answer; whatever else wakes it makes it work for a stretch, and wait again.
    """

    def __init__(self, host: Host) -> None:
        self.host = host
        self.laws: dict[int, Law] = {}
        self.home: dict[int, int] = {}
        self.waiting: dict[int, None] = {}

    def add(self, vcpu: Vcpu, law: Law) -> None:
        """A vCPU whose device answers after such times, on the HART where the vCPU starts."""
        self.laws[vcpu.id], self.home[vcpu.id] = law, vcpu.thread.cpu

    @entered("kvm_vcpu_halt")
    def halts(self, current: Thread, vcpu: Vcpu) -> None:
        """A guest has nothing more to do: it asks, unless an answer is on its way."""
        iid = vcpu.identity or IID
        if vcpu.id not in self.laws or vcpu.id in self.waiting or vcpu.ledger.owed & bit(iid):
            return
        self.waiting[vcpu.id] = None
        self.host.env.process(self._answer(vcpu, iid))

    def _answer(self, vcpu: Vcpu, iid: int) -> Process:
        draw = self.host.streams.stream(f"{vcpu.name}/replies").draw
        yield self.host.env.timeout(draw(self.laws[vcpu.id]))
        if vcpu.stop:
            return
        send(self.host, self.home[vcpu.id], vcpu, iid)
        del self.waiting[vcpu.id]
