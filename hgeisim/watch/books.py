"""Keeps the books of guests where these call the kernel: traps, resets."""

from __future__ import annotations

from hgeisim.kernel.structs import Thread, Vcpu
from hgeisim.machine.watch import entered, returned


class Books:
    """Enters what a guest gets from functions of the kernel into its ledger.

    It stands in front of them, so a patch of theirs does not change what is entered.
    """

    @returned("kvm_riscv_vcpu_aia_imsic_rmw_setup")
    def set_up(self, ret: None, current: Thread, vcpu: Vcpu, eie: int) -> None:
        """The guest's accesses that set up its SW-file are over."""
        vcpu.ledger.set_up(eie)

    @returned("kvm_riscv_vcpu_aia_imsic_rmw_topei")
    def claimed(self, ret: int, current: Thread, vcpu: Vcpu) -> None:
        """The guest has read stopei: `ret` is what it got."""
        if ret:
            vcpu.ledger.take(1 << ret)

    @entered("kvm_riscv_vcpu_aia_imsic_reset")
    def reset_begins(self, current: Thread, vcpu: Vcpu) -> None:
        """A reset begins."""
        vcpu.ledger.reset_begins()

    @returned("kvm_riscv_vcpu_aia_imsic_reset")
    def reset_ends(self, ret: None, current: Thread, vcpu: Vcpu) -> None:
        """A reset ends."""
        vcpu.ledger.reset_ends()
