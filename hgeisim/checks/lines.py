"""What the kernel does with a line: it gives one back once, and only its own; none stays where a
HART has gone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hgeisim.checks.check import CallCheck, OperationCheck, StateCheck
from hgeisim.checks.finding import Finding, Moment
from hgeisim.checks.ownership import vcpus
from hgeisim.kernel.module import Module
from hgeisim.kernel.structs import Vcpu
from hgeisim.machine.hart import bit
from hgeisim.machine.shared import address_of, addresses
from hgeisim.machine.task import Runner

DISABLE = "kvm_riscv_aia_disable"


class GivenBackOnce(CallCheck):
    """free_hgei is called for lines that are taken."""

    about = "kvm_riscv_aia_free_hgei"

    def wrong(self, k: Module, cpu: int, hgei: int) -> Iterator[Finding]:
        """Report a line that is free before it is given back."""
        if 0 < hgei <= k.nr_hgei(k.hgei[cpu]) and k.hgei[cpu].free_bitmap & bit(hgei):
            text = f"HART {cpu} line {hgei} is given back, and is free already"
            yield Finding("double-free", "hgei", text)


class OnlyItsOwn(OperationCheck):
    """A CPU that goes away takes only VS-files that are on it.  Needs tracked memory."""

    def wrong(self, k: Module, moment: Moment) -> Iterator[Finding]:
        """Look at the VS-files that a step took away."""
        if moment.entry != DISABLE or k.memory is None:
            return
        for vcpu in vcpus(k):
            address = address_of(vcpu, "vsfile_cpu")
            if address in moment.writes:
                yield from self.taken(moment.who, vcpu, k.memory.reads.get(address, -1))

    @staticmethod
    def taken(who: Runner, vcpu: Vcpu, old_cpu: int) -> Iterator[Finding]:
        """`who`, in aia_disable, has had the VS-file of a vCPU in its hands."""
        if old_cpu >= 0 and old_cpu != who.cpu and vcpu.vsfile_cpu < 0:
            text = f"{who.name}, in aia_disable of CPU {who.cpu}, takes the VS-file of {vcpu.name}"
            yield Finding("foreign-release", "vsfile", f"{text}, which is on CPU {old_cpu}")


class NoneOffline(StateCheck[Vcpu]):
    """No vCPU has its VS-file on a HART that is offline."""

    def watches(self, k: Module) -> Iterator[int]:
        """Which HARTs are online, and the VS-files."""
        for hart in k.hart:
            yield from addresses(hart, "online")
        for vcpu in vcpus(k):
            yield from addresses(vcpu, "vsfile_cpu", "vsfile_hgei", "freed")

    def subjects(self, k: Module) -> Iterable[Vcpu]:
        """All vCPUs."""
        return vcpus(k)

    def wrong(self, k: Module, vcpu: Vcpu) -> Iterator[Finding]:
        """Report a vCPU whose file is gone with its HART."""
        cpu = vcpu.vsfile_cpu
        if cpu >= 0 and not k.hart[cpu].online and not vcpu.freed:
            text = f"{vcpu.name} has line {vcpu.vsfile_hgei} of HART {cpu}, which is offline"
            yield Finding("now-on-offline", "vsfile", text)
