"""Nothing freed is touched."""

from __future__ import annotations

from collections.abc import Iterator
from weakref import WeakKeyDictionary

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
        owners = _owners(k)
        for vcpu in dict.fromkeys(owners[each] for each in moment.touched if each in owners):
            if freed_before(vcpu, moment):
                text = f"{moment.who.name} touches {vcpu.name} after it was freed, in "
                yield Finding("use-after-free", moment.entry, text + moment.function)


_KNOWN = WeakKeyDictionary[Module, dict[int, Vcpu]]()


def _owners(k: Module) -> dict[int, Vcpu]:
    """The vCPU that each of its cells is of."""
    if k not in _KNOWN:
        _KNOWN[k] = {address: vcpu for vcpu in vcpus(k) for address in own_cells(vcpu)}
    return _KNOWN[k]


def own_cells(vcpu: Vcpu) -> set[int]:
    """The memory of a vCPU: its fields, its SW-file and its locks."""
    locks = (vcpu.vsfile_lock, vcpu.swfile_extirq_lock, vcpu.hfence_lock)
    parts = (vcpu, vcpu.wait, vcpu.swfile, vcpu.mutex, *locks)
    return {address for part in parts for address in addresses(part)}


def freed_before(vcpu: Vcpu, moment: Moment) -> bool:
    """Tell whether the vCPU was gone before this step."""
    return address_of(vcpu, "freed") not in moment.writes and vcpu.freed == 1
