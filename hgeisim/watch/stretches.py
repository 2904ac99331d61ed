"""Stretches of a guest's work: from its entry until it waits for an interrupt (WFI)."""

from __future__ import annotations

from collections.abc import Callable

from hgeisim.kernel.main import Module
from hgeisim.kernel.structs import Thread, Vcpu
from hgeisim.machine.guest import EnterGuest
from hgeisim.machine.task import Runner
from hgeisim.machine.watch import done, entered


class Stretches:
    """Adds up the stretches of the vCPUs of one VM that begin at `from_ns` or later.

    `stolen` returns for a HART how many ns its hardirqs took so far; those within stretches are
    added up in `stolen_ns`.
    """

    def __init__(self, k: Module, vm: str, from_ns: int, stolen: Callable[[int], int]) -> None:
        self.k, self.now, self.vm, self.from_ns, self.stolen = k, k.ktime_get, vm, from_ns, stolen
        self.count = self.total_ns = self.stolen_ns = 0
        self.began: dict[int, tuple[int, int]] = {}

    @done(EnterGuest)
    def enters(self, who: Runner, op: EnterGuest, waited_ns: int) -> None:
        """A guest begins a stretch, or goes on with one."""
        if op.vcpu not in self.began and self.k.vcpu(op.vcpu).vm.name == self.vm:
            self.began[op.vcpu] = self.now(), self.stolen(who.cpu)

    @entered("kvm_vcpu_halt")
    def halts(self, current: Thread, vcpu: Vcpu) -> None:
        """A guest waits: its stretch is over."""
        began_ns, stolen_ns = self.began.pop(vcpu.id, (-1, 0))
        if began_ns >= self.from_ns:
            self.count += 1
            self.total_ns += self.now() - began_ns
            self.stolen_ns += self.stolen(current.cpu) - stolen_ns
