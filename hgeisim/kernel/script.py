"""A fixed list of actions for one thread: how a scenario writes down a race."""

from __future__ import annotations

from collections.abc import Sequence

from hgeisim.kernel.cpuhp import Cpuhp
from hgeisim.kernel.state import Thread, Vcpu
from hgeisim.machine.ops import Migrate, Path
from hgeisim.machine.shared import Fixed

Command = tuple[str, int, Vcpu | None]
"""A verb, the HART and the vCPU it is about (0 and None where it is about none)."""


class Script(Fixed):
    """Executes commands one after the other in one thread."""

    def __init__(self, k: Cpuhp, thread: Thread, commands: Sequence[Command]) -> None:
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
        if verb == "migrate":
            return migrate(cpu)
        if verb in ("offline", "online"):
            turn = self.k.cpu_down if verb == "offline" else self.k.cpu_up
            return turn(self.thread, cpu)
        assert vcpu is not None, f"{verb} is about a vCPU"
        return self._about(verb, vcpu)

    def _about(self, verb: str, vcpu: Vcpu) -> Path[object]:
        if verb in ("run", "block"):
            turn = self.k.kvm_arch_vcpu_ioctl_run if verb == "run" else self.k.kvm_vcpu_block
            return turn(self.thread, vcpu)
        turns = {
            "destroy": self.k.kvm_riscv_vcpu_aia_imsic_cleanup,
            "msi": self.k.imsic_page_write,
            "irqfd": self.k.kvm_riscv_vcpu_aia_imsic_inject,
        }
        return turns[verb](vcpu)


def migrate(cpu: int) -> Path[None]:
    """sched_setaffinity of the thread itself."""
    yield Migrate(cpu)
