"""Whose guests were entered in a run, and whether any line was handed out."""

from __future__ import annotations

from typing import Any

from hgeisim.checks.ownership import vcpus
from hgeisim.kernel.module import Module
from hgeisim.kernel.structs import Vcpu
from hgeisim.machine.guest import EnterGuest
from hgeisim.machine.task import Runner
from hgeisim.machine.watch import done, returned


class Guests:
    """`entered` are the ids of the vCPUs whose guests were; both count what was before the start,
    when each [[vcpu]] enters its guest once."""

    def __init__(self, k: Module) -> None:
        self.entered = {vcpu.id for vcpu in vcpus(k) if vcpu.booted}
        self.line_handed_out = any(vcpu.vsfile_hgei > 0 for vcpu in vcpus(k))

    @done(EnterGuest)
    def enters(self, who: Runner, op: Any, waited_ns: int) -> None:
        """A guest is entered."""
        self.entered.add(op.vcpu)

    @returned("kvm_riscv_aia_alloc_hgei")
    def allocated(self, hgei: int, cpu: int, owner: Vcpu) -> None:
        """A vCPU has asked for a line."""
        self.line_handed_out = self.line_handed_out or hgei > 0
