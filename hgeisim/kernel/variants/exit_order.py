"""Teardown after kvm_exit: every CPU is disabled before AIA goes (v6.15, v6.12.115)."""

from __future__ import annotations

from hgeisim.kernel.main import Module
from hgeisim.kernel.structs import Thread
from hgeisim.machine.ops import Path


class ExitOrder(Module):
    """With "Teardown riscv specific bits after kvm_exit" (fixes bug B-17)."""

    def riscv_kvm_exit(k, current: Thread) -> Path[None]:
        """riscv_kvm_exit, v6.15."""
        if k.enable_virt_at_load:
            yield from k.kvm_disable_virtualization(current)
        yield from k.kvm_riscv_aia_exit(current)
