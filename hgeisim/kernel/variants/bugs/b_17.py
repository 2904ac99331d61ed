"""B-17 again: the module takes AIA away before it disables the CPUs, as before v6.15."""

from __future__ import annotations

from hgeisim.kernel.main import Module
from hgeisim.kernel.structs import Thread
from hgeisim.machine.ops import Path


class B17(Module):
    """riscv_kvm_exit in the old order."""

    def riscv_kvm_exit(k, current: Thread) -> Path[None]:
        """riscv_kvm_exit, v6.12: free_percpu_irq while the SGEI is enabled on CPUs."""
        yield from Module.riscv_kvm_exit(k, current)
