"""Stretches of a guest's work: from its entry until it waits for an interrupt (WFI)."""

from __future__ import annotations

from dataclasses import dataclass

from hgeisim.kernel.main import Module
from hgeisim.kernel.structs import Thread, Vcpu
from hgeisim.machine.guest import EnterGuest
from hgeisim.machine.task import Runner
from hgeisim.machine.watch import done, entered, returned


@dataclass
class Stretch:
    """A stretch that has begun; the guest has run for `guest_ns` of it, and since `entered_ns`."""

    began_ns: int
    entered_ns: int
    guest_ns: int = 0


class Stretches:
    """Adds up the stretches of the vCPUs of one VM that begin at `from_ns` or later, and how long
    their guests ran; what the HART does for others meanwhile is the rest of a stretch."""

    def __init__(self, k: Module, vm: str, from_ns: int) -> None:
        self.k, self.now, self.vm, self.from_ns = k, k.ktime_get, vm, from_ns
        self.count = self.total_ns = self.guest_ns = 0
        self.going_on: dict[int, Stretch] = {}

    @done(EnterGuest)
    def enters(self, who: Runner, op: EnterGuest, waited_ns: int) -> None:
        """A guest begins a stretch, or goes on with one."""
        if self.k.vcpu(op.vcpu).vm.name == self.vm:
            now_ns = self.now()
            self.going_on.setdefault(op.vcpu, Stretch(now_ns, now_ns)).entered_ns = now_ns

    @returned("kvm_riscv_vcpu_enter_exit")
    def exits(self, ret: int | None, current: Thread, vcpu: Vcpu) -> None:
        """A guest was left."""
        if stretch := self.going_on.get(vcpu.id):
            stretch.guest_ns += self.now() - stretch.entered_ns

    @entered("kvm_vcpu_halt")
    def halts(self, current: Thread, vcpu: Vcpu) -> None:
        """A guest waits: its stretch is over."""
        stretch = self.going_on.pop(vcpu.id, None)
        if stretch is not None and stretch.began_ns >= self.from_ns:
            self.count += 1
            self.total_ns += self.now() - stretch.began_ns
            self.guest_ns += stretch.guest_ns
