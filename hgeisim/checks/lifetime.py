"""Nothing freed is touched."""

from __future__ import annotations

from collections.abc import Iterator

from hgeisim.checks.check import OperationCheck
from hgeisim.checks.finding import Finding, Moment
from hgeisim.checks.ownership import vcpus
from hgeisim.kernel.module import Module
from hgeisim.kernel.structs import Vcpu
from hgeisim.machine.shared import address_of, addresses


class UseAfterFree(OperationCheck):
    """No step reads or writes a vCPU that an earlier step freed.  Needs tracked memory."""

    def wrong(self, k: Module, moment: Moment) -> Iterator[Finding]:
        """Look at what the step touched."""
        for vcpu in vcpus(k):
            if not own_cells(vcpu).isdisjoint(moment.touched) and freed_before(vcpu, moment):
                text = f"{moment.who.name} touches {vcpu.name} after it was freed, in "
                yield Finding("use-after-free", moment.entry, text + moment.function)


def own_cells(vcpu: Vcpu) -> set[int]:
    """The memory of a vCPU: its fields, its SW-file and its locks."""
    locks = (vcpu.vsfile_lock, vcpu.swfile_extirq_lock, vcpu.hfence_lock)
    parts = (vcpu, vcpu.wait, vcpu.swfile, vcpu.mutex, *locks)
    return {address for part in parts for address in addresses(part)}


def freed_before(vcpu: Vcpu, moment: Moment) -> bool:
    """Tell whether the vCPU was gone before this step."""
    return address_of(vcpu, "freed") not in moment.writes and vcpu.freed == 1
