"""A fixed list of actions for one thread: how a scenario writes down a race."""

from __future__ import annotations

from collections.abc import Sequence

from hgeisim.kernel.module import Module
from hgeisim.kernel.structs import REQ_VCPU_RESET, Thread, Vcpu
from hgeisim.machine.ops import STEP, Path
from hgeisim.machine.shared import Fixed

Command = tuple[str, int, Vcpu | None]
"""A verb, the HART and the vCPU it is about (0 and None where it is about none)."""
IID = 1
"""The identity of the MSIs that scripts send."""


class Script(Fixed):
    """Executes commands one after the other in one thread.

    All that a vCPU's own thread does here happens within KVM_RUN, which "exit" leaves and calls
    again.
    """

    def __init__(self, k: Module, thread: Thread, commands: Sequence[Command]) -> None:
        self.k, self.thread, self.commands = k, thread, tuple(commands)

    def path(self) -> Path[None]:
        """The path of the whole script."""
        i = 0
        while i < len(self.commands):
            yield from self.command(i)
            i += 1

    def command(self, i: int) -> Path[object]:
        """The path of command `i`; raises `KeyError` for a verb that nobody knows."""
        verb, cpu, vcpu = self.commands[i]
        if vcpu is not None:
            return self._about(verb, vcpu, cpu)
        of_cpu = {
            "migrate": self.k.move_to,
            "offline": self.k.cpu_down,
            "online": self.k.cpu_up,
        }
        if verb in of_cpu:
            return of_cpu[verb](self.thread, cpu)
        of_host = {
            "load": self.k.riscv_kvm_init,
            "unload": self.k.riscv_kvm_exit,
            "shutdown": self.k.kvm_shutdown,
        }
        return of_host[verb](self.thread)

    def _about(self, verb: str, vcpu: Vcpu, cpu: int) -> Path[object]:
        k = self.k
        of_vcpu = {
            "run": k.vcpu_enter_guest,
            "block": k.kvm_riscv_vcpu_wfi,
            "destroy": k.kvm_riscv_vcpu_aia_imsic_cleanup,
            "rw_attr": k.kvm_riscv_aia_imsic_rw_attr,
            "exit": self.exit,
        }
        if verb in of_vcpu:
            return of_vcpu[verb](self.thread, vcpu)
        if verb == "move":
            return move(self.thread, vcpu, cpu)
        others = {"msi": self.msi, "irqfd": self.irqfd, "reset": self.reset}
        return others[verb](vcpu)

    def msi(self, vcpu: Vcpu) -> Path[None]:
        """A guest on this HART stores to the IMSIC page of a vCPU."""
        yield from self.k.imsic_page_write(self.thread, vcpu, IID)

    def irqfd(self, vcpu: Vcpu) -> Path[None]:
        """A device's interrupt arrives at this HART, for a vCPU."""
        yield STEP
        data = self.thread.data
        data.vcpu, data.value, self.thread.ipi_mask = vcpu.id, IID, 1 << self.thread.cpu
        yield self.k.irqfd

    def exit(self, thread: Thread, vcpu: Vcpu) -> Path[None]:
        """KVM_RUN returns to the monitor, which calls it again."""
        yield from self.k.kvm_vcpu_ioctl_end(thread, vcpu)
        yield from self.k.kvm_vcpu_ioctl_begin(thread, vcpu)

    def reset(self, vcpu: Vcpu) -> Path[None]:
        """A vCPU is to be reset before it enters its guest again."""
        yield STEP
        vcpu.requests |= REQ_VCPU_RESET
        yield from self.k.kvm_vcpu_kick(self.thread, vcpu)


SCRIPTED = ("path", "msi", "irqfd", "reset", "move")
"""The generators of this module: they stand around kernel functions and are none."""


def move(current: Thread, vcpu: Vcpu, cpu: int) -> Path[None]:
    """sched_setaffinity of a vCPU's thread by another: the driver moves it where it may."""
    yield STEP
    vcpu.thread.wanted = cpu + 1
