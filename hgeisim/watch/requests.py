"""Asks about a vCPU that gets no line on a HART which has a free one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from hgeisim.checks.catalogue import At, asked
from hgeisim.checks.finding import Finding
from hgeisim.kernel.module import Module
from hgeisim.kernel.structs import HgeiControl, Thread, Vcpu
from hgeisim.machine.shared import Shared
from hgeisim.machine.spinlock import Release
from hgeisim.machine.task import Runner
from hgeisim.machine.watch import done, entered, returned

REFUSED = asked(At.REFUSED)


class Requests:
    """Knows which vCPUs ask for a line of a HART that has had a free one since they began to ask.

    A line that is freed after alloc_hgei has looked is not held against it.
    """

    def __init__(self, k: Module, note: Callable[[Iterable[Finding]], None]) -> None:
        self.k, self.note = k, note
        self.control: dict[Shared, HgeiControl] = {h.lock: h for h in k.hgei}
        self.asking: dict[int, int] = {}

    @entered("kvm_riscv_vcpu_aia_imsic_update")
    def asks(self, current: Thread, vcpu: Vcpu) -> None:
        """A vCPU wants to enter its guest on this HART, on which it has no file."""
        if self.k.hgei[current.cpu].free_bitmap and vcpu.vsfile_cpu != current.cpu:
            self.asking[vcpu.id] = current.cpu

    @done(Release)
    def released(self, who: Runner, op: Any, waited_ns: int) -> None:
        """The lines of a HART may all be taken by now."""
        hgctrl = self.control.get(op.lock)
        if hgctrl is not None and self.asking and not hgctrl.free_bitmap:
            full = hgctrl.cpu
            self.asking = {ident: cpu for ident, cpu in self.asking.items() if cpu != full}

    @returned("kvm_riscv_aia_alloc_hgei")
    def allocated(self, ret: int, cpu: int, owner: Vcpu) -> None:
        """It has got one, which somebody else may take away again."""
        if ret > 0:
            self.asking.pop(owner.id, None)

    @returned("kvm_riscv_vcpu_aia_imsic_update")
    def answered(self, ret: int, current: Thread, vcpu: Vcpu) -> None:
        """It goes on without one, or not at all."""
        if self.asking.pop(vcpu.id, -1) == current.cpu:
            for check in REFUSED:
                self.note(check.of(self.k, vcpu))
