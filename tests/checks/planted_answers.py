"""Faults of what an ioctl or a trapped access answers, and of who cannot be answered."""

from __future__ import annotations

from hgeisim.kernel.structs import Caller, Thread, Vcpu
from hgeisim.kernel.vcpu import VcpuRun
from hgeisim.machine.ops import LOCAL_IRQ_DISABLE, LOCAL_IRQ_ENABLE, Path
from hgeisim.machine.task import Runner


class AttrReadsAnother(VcpuRun):
    """rw_attr reads the other one of two VS-files."""

    def imsic_vsfile_local_rw(k, current: Runner, sender: Caller) -> Path[None]:
        """imsic_vsfile_local_rw with the fault."""
        sender.data.hgei = 3 - sender.data.hgei
        yield from super().imsic_vsfile_local_rw(current, sender)


class AttrReadsNothing(VcpuRun):
    """rw_attr does not wait for the answer of the other CPU."""

    def imsic_vsfile_local_rw(k, current: Runner, sender: Caller) -> Path[None]:
        """imsic_vsfile_local_rw with the fault."""
        yield from ()


class TrapReadsNothing(VcpuRun):
    """A trapped access to eie returns 0."""

    def kvm_riscv_vcpu_aia_imsic_rmw_eie(
        k, current: Thread, vcpu: Vcpu, new_val: int, wr_mask: int
    ) -> Path[int]:
        """kvm_riscv_vcpu_aia_imsic_rmw with the fault."""
        yield from super().kvm_riscv_vcpu_aia_imsic_rmw_eie(current, vcpu, new_val, wr_mask)
        return 0


class DisableDeaf(VcpuRun):
    """aia_disable keeps interrupts off while it waits for other CPUs."""

    def kvm_riscv_aia_disable(k, current: Caller) -> Path[None]:
        """kvm_riscv_aia_disable with the fault."""
        yield LOCAL_IRQ_DISABLE
        yield from super().kvm_riscv_aia_disable(current)
        yield LOCAL_IRQ_ENABLE


class SyncForgets(VcpuRun):
    """KVM does not look at what a guest has cleared."""

    def kvm_riscv_vcpu_sync_interrupts(k, vcpu: Vcpu) -> Path[None]:
        """kvm_riscv_vcpu_sync_interrupts with the fault."""
        yield from ()
