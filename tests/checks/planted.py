"""Faults for tests: each gives the id of a finding of shipped kernels, by a cause of its own."""

from __future__ import annotations

from hgeisim.kernel.aia import Aia
from hgeisim.kernel.main import Module
from hgeisim.kernel.structs import EINVAL, IRQ_VS_EXT, Caller, Thread, Vcpu, Vm
from hgeisim.kernel.variants.v6_16 import V6_16
from hgeisim.kernel.vcpu import VcpuRun
from hgeisim.machine.hart import bit
from hgeisim.machine.ops import (
    LOCAL_IRQ_DISABLE,
    LOCAL_IRQ_ENABLE,
    PREEMPT_DISABLE,
    PREEMPT_ENABLE,
    STEP,
    Path,
)
from hgeisim.machine.task import Runner


class HandlerDeafens(VcpuRun):
    """hgei_interrupt leaves SGEI disabled."""

    def hgei_interrupt(k, current: Runner) -> Path[None]:
        """hgei_interrupt with the fault."""
        yield from super().hgei_interrupt(current)
        yield STEP
        current.hart.sgeie = 0


class PendsUnmasked(VcpuRun):
    """Setting an interrupt leaves the mask alone, and kicks nobody."""

    def kvm_riscv_vcpu_set_interrupt(
        k, current: Runner, vcpu: Vcpu, irq: int = IRQ_VS_EXT
    ) -> Path[None]:
        """kvm_riscv_vcpu_set_interrupt with the fault."""
        yield STEP
        vcpu.irqs_pending |= irq


class HandlerReads(VcpuRun):
    """hgei_interrupt looks where a vCPU has its VS-file."""

    def hgei_interrupt(k, current: Runner) -> Path[None]:
        """hgei_interrupt with the fault."""
        yield from super().hgei_interrupt(current)
        vcpu = k.vcpu(1)
        yield vcpu.vsfile_lock.read_lock_irqsave
        yield vcpu.vsfile_lock.read_unlock_irqrestore


class HandlerUnmaps(VcpuRun):
    """hgei_interrupt takes the guest's page away."""

    def hgei_interrupt(k, current: Runner) -> Path[None]:
        """hgei_interrupt with the fault."""
        yield from super().hgei_interrupt(current)
        yield from k.kvm_riscv_mmu_iounmap(current, k.vcpu(1))


class ClearsAnother(VcpuRun):
    """imsic_update zeroes the other one of two VS-files."""

    def imsic_vsfile_local_clear(k, current: Runner, vcpu: Vcpu, hgei: int) -> Path[None]:
        """imsic_vsfile_local_clear with the fault."""
        yield from super().imsic_vsfile_local_clear(current, vcpu, 3 - hgei)


class DisableFreesSgei(Aia):
    """aia_disable frees the SGEI interrupt of all CPUs."""

    def disable_sgei(k, current: Runner) -> Path[None]:
        """disable_sgei with the fault."""
        yield from super().disable_sgei(current)
        yield STEP
        k.globals.hgei_parent_irq = 0


class FreesTwice(VcpuRun):
    """imsic_update gives the old line back a second time."""

    def imsic_vsfile_local_update(k, current: Thread, vcpu: Vcpu, hgei: int) -> Path[None]:
        """imsic_vsfile_local_update with the fault."""
        yield from super().imsic_vsfile_local_update(current, vcpu, hgei)
        yield from k.kvm_riscv_aia_free_hgei(1 - current.cpu, 1)


class FreesTwiceLater(VcpuRun):
    """The same where a HART is offline."""

    def imsic_vsfile_local_update(k, current: Thread, vcpu: Vcpu, hgei: int) -> Path[None]:
        """imsic_vsfile_local_update with the fault."""
        yield from super().imsic_vsfile_local_update(current, vcpu, hgei)
        if not all(hart.online for hart in k.hart):
            yield from k.kvm_riscv_aia_free_hgei(1 - current.cpu, 1)


class UpdateArms(VcpuRun):
    """imsic_update arms the old line, not the new one."""

    def imsic_vsfile_local_update(k, current: Thread, vcpu: Vcpu, hgei: int) -> Path[None]:
        """imsic_vsfile_local_update with the fault."""
        yield from super().imsic_vsfile_local_update(current, vcpu, hgei)
        yield STEP
        k.hart[1 - current.cpu].hgeie |= bit(1)


class EnableArms(Aia):
    """aia_enable leaves all lines armed."""

    def enable_sgei(k, current: Runner) -> Path[None]:
        """enable_sgei with the fault."""
        yield from super().enable_sgei(current)
        yield STEP
        current.hart.write_hgeie(bit(1))


class DisableArms(Aia):
    """aia_disable leaves a line armed."""

    def disable_sgei(k, current: Runner) -> Path[None]:
        """disable_sgei with the fault."""
        yield from super().disable_sgei(current)
        yield STEP
        current.hart.write_hgeie(bit(1))


class CleanupKeeps(VcpuRun):
    """imsic_cleanup frees the vCPU and keeps its line."""

    def kvm_riscv_vcpu_aia_imsic_cleanup(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """kvm_riscv_vcpu_aia_imsic_cleanup with the fault."""
        yield STEP
        vcpu.freed = 1


class DisableTakesAnother(Aia):
    """aia_disable takes the VS-file of the other one of two vCPUs."""

    def take_line_away(k, current: Caller, vcpu: Vcpu, hgei: int) -> Path[None]:
        """take_line_away with the fault."""
        yield from super().take_line_away(current, k.vcpu(3 - vcpu.id), hgei)


class UpdateForgets(VcpuRun):
    """imsic_update brings nothing to the new VS-file."""

    def imsic_vsfile_local_update(k, current: Thread, vcpu: Vcpu, hgei: int) -> Path[None]:
        """imsic_vsfile_local_update with the fault."""
        current.data.mrif.clear()
        yield from super().imsic_vsfile_local_update(current, vcpu, hgei)


class UpdateForgetsSent(VcpuRun):
    """imsic_update brings nothing that is pending to the new VS-file."""

    def imsic_vsfile_local_update(k, current: Thread, vcpu: Vcpu, hgei: int) -> Path[None]:
        """imsic_vsfile_local_update with the fault."""
        current.data.mrif.eip = 0
        yield from super().imsic_vsfile_local_update(current, vcpu, hgei)


class InjectsBeside(VcpuRun):
    """An injection goes to the SW-file always."""

    def kvm_riscv_vcpu_aia_imsic_inject(k, current: Runner, vcpu: Vcpu, iid: int) -> Path[None]:
        """kvm_riscv_vcpu_aia_imsic_inject with the fault."""
        yield STEP
        vcpu.swfile.eip |= bit(iid)


class InjectsBehind(VcpuRun):
    """An injection goes to the line 2 always."""

    def kvm_riscv_vcpu_aia_imsic_inject(k, current: Runner, vcpu: Vcpu, iid: int) -> Path[None]:
        """kvm_riscv_vcpu_aia_imsic_inject with the fault."""
        yield STEP
        hart = k.hart[vcpu.vsfile_cpu]
        hart.eidelivery[2], hart.eie[2] = 1, bit(iid)
        hart.write_msi(2, iid)


class HandlerForgets(VcpuRun):
    """hgei_interrupt kicks nobody."""

    def hgei_interrupt(k, current: Runner) -> Path[None]:
        """hgei_interrupt with the fault."""
        yield STEP
        current.hart.hgeie &= ~current.hart.hgeip


class RefusesAll(Module):
    """aia_config refuses everything."""

    def aia_config(k, vm: Vm) -> Path[int]:
        """aia_config with the fault."""
        yield STEP
        return -EINVAL


class NobodyArms(Aia):
    """A vCPU that sleeps is not armed: neither as in v6.12 nor as in v6.16."""

    def kvm_riscv_aia_wakeon_hgei(k, current: Runner, owner: Vcpu, enable: int) -> Path[None]:
        """kvm_riscv_aia_wakeon_hgei with the fault."""
        yield STEP

    def kvm_riscv_vcpu_aia_put(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """kvm_riscv_vcpu_aia_put with the fault."""
        yield STEP


class AttrDisables(Module):
    """rw_attr disables the other CPU."""

    def kvm_riscv_aia_imsic_rw_attr(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """kvm_riscv_aia_imsic_rw_attr with the fault."""
        yield from k.on_each_cpu_mask(current, 1 << 1 - current.cpu, k.disable_here)


class OfflineByIpi(Module):
    """A CPU that goes offline disables all CPUs, by IPIs."""

    def kvm_offline_cpu(k, current: Thread) -> Path[None]:
        """kvm_offline_cpu with the fault."""
        yield STEP
        k.globals.kvm_rebooting = 1
        yield from k.on_each_cpu_mask(current, (1 << len(k.hart)) - 1, k.disable_here)


class PutElsewhere(V6_16):
    """The line of a vCPU that is put is armed by another function."""

    def kvm_riscv_vcpu_aia_put(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """kvm_riscv_vcpu_aia_put with the fault."""
        yield from k.imsic_arm(current, vcpu)

    def imsic_arm(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """Not a function of the kernel."""
        yield vcpu.vsfile_lock.read_lock_irqsave
        if vcpu.wait.waiter and vcpu.vsfile_cpu > -1:
            current.hart.write_hgeie(current.hart.hgeie | bit(vcpu.vsfile_hgei))
            yield k.sgei[current.cpu]
        yield vcpu.vsfile_lock.read_unlock_irqrestore


class TakesAll(Module):
    """Something takes three locks that sleep on PREEMPT_RT."""

    def imsic_take_all(k, vcpu: Vcpu) -> Path[None]:
        """Not a function of the kernel."""
        yield vcpu.vsfile_lock.read_lock_irqsave
        yield vcpu.vsfile_lock.read_unlock_irqrestore
        yield vcpu.vm.mmu_lock.lock
        yield vcpu.vm.mmu_lock.unlock
        yield vcpu.hfence_lock.lock
        yield vcpu.hfence_lock.unlock


class DisableTakesAll(TakesAll):
    """It is aia_disable, also where there is no line."""

    def disable_sgei(k, current: Runner) -> Path[None]:
        """disable_sgei with the fault."""
        yield from super().disable_sgei(current)
        yield from k.imsic_take_all(k.vcpu(1))


class RequestsTakeAll(TakesAll):
    """It is a fence that is processed with preemption off."""

    def kvm_riscv_hfence_process(k, current: Runner, vcpu: Vcpu) -> Path[None]:
        """kvm_riscv_hfence_process with the fault."""
        yield PREEMPT_DISABLE
        yield from k.imsic_take_all(vcpu)
        yield PREEMPT_ENABLE
        yield from super().kvm_riscv_hfence_process(current, vcpu)


class UpdateTakesAll(TakesAll):
    """It is imsic_update, also for a VM without IMSIC."""

    def kvm_riscv_vcpu_aia_imsic_update(k, current: Thread, vcpu: Vcpu) -> Path[int]:
        """kvm_riscv_vcpu_aia_imsic_update with the fault."""
        yield from k.imsic_take_all(vcpu)
        return (yield from super().kvm_riscv_vcpu_aia_imsic_update(current, vcpu))


class MapsNested(VcpuRun):
    """mmu_lock is taken twice for a page on the last HART."""

    def gstage_set_pte(k, current: Runner, vcpu: Vcpu, cpu: int, hgei: int) -> Path[None]:
        """gstage_set_pte with the fault."""
        yield from super().gstage_set_pte(current, vcpu, cpu, hgei)
        if cpu == len(k.hart) - 1:
            yield vcpu.vm.mmu_lock.lock


class FencesNested(VcpuRun):
    """hfence_lock is taken twice on HART 1."""

    def kvm_riscv_hfence_process(k, current: Runner, vcpu: Vcpu) -> Path[None]:
        """kvm_riscv_hfence_process with the fault."""
        if current.cpu == 1:
            yield vcpu.hfence_lock.lock
        yield from super().kvm_riscv_hfence_process(current, vcpu)


class BothNested(MapsNested, FencesNested):
    """Both."""


class ClearsNested(VcpuRun):
    """vsfile_lock is taken twice by a vCPU that has been in its guest."""

    def imsic_vsfile_local_clear(k, current: Runner, vcpu: Vcpu, hgei: int) -> Path[None]:
        """imsic_vsfile_local_clear with the fault."""
        yield from super().imsic_vsfile_local_clear(current, vcpu, hgei)
        if vcpu.booted:
            yield vcpu.vsfile_lock.write_lock_irqsave
            yield vcpu.vsfile_lock.write_lock_irqsave


class ClearsMasked(VcpuRun):
    """A page is fenced with interrupts off."""

    def imsic_vsfile_local_clear(k, current: Runner, vcpu: Vcpu, hgei: int) -> Path[None]:
        """imsic_vsfile_local_clear with the fault."""
        yield from super().imsic_vsfile_local_clear(current, vcpu, hgei)
        yield LOCAL_IRQ_DISABLE
        yield from k.kvm_riscv_hfence_gvma_vmid_gpa(current, vcpu)
        yield LOCAL_IRQ_ENABLE


class DisableFreesTwice(Aia):
    """aia_disable gives each line back a second time."""

    def take_line_away(k, current: Caller, vcpu: Vcpu, hgei: int) -> Path[None]:
        """take_line_away with the fault."""
        yield from super().take_line_away(current, vcpu, hgei)
        yield from k.kvm_riscv_aia_free_hgei(current.cpu, hgei)


class LevelStays(VcpuRun):
    """VSEIP is never cleared."""

    def kvm_riscv_vcpu_unset_interrupt(k, vcpu: Vcpu, irq: int = IRQ_VS_EXT) -> Path[None]:
        """kvm_riscv_vcpu_unset_interrupt with the fault."""
        yield from ()


class ReleaseForgets(VcpuRun):
    """imsic_release drops what was in the VS-file."""

    def imsic_swfile_update(k, current: Caller, vcpu: Vcpu) -> Path[None]:
        """imsic_swfile_update with the fault."""
        yield STEP
        current.data.mrif.clear()


class ResetKeeps(VcpuRun):
    """A reset does not zero the SW-file."""

    def memset_swfile(k, vcpu: Vcpu) -> Path[None]:
        """Memset with the fault."""
        yield from ()


class ReleaseReadsAnother(VcpuRun):
    """imsic_release reads the other one of two VS-files."""

    def imsic_vsfile_read(k, current: Caller, vcpu: Vcpu, cpu: int, hgei: int) -> Path[None]:
        """imsic_vsfile_read with the fault."""
        yield from super().imsic_vsfile_read(current, vcpu, cpu, 3 - hgei)


class NotCleared(VcpuRun):
    """imsic_update takes a VS-file as its last owner has left it."""

    def imsic_vsfile_local_clear(k, current: Runner, vcpu: Vcpu, hgei: int) -> Path[None]:
        """imsic_vsfile_local_clear with the fault."""
        yield STEP


class FreedFirst(VcpuRun):
    """The page table is given back, and emptied then."""

    def kvm_riscv_mmu_free_pgd(k, current: Runner, vm: Vm) -> Path[None]:
        """kvm_riscv_mmu_free_pgd with the fault."""
        yield STEP
        vm.pgd_freed = 1
        yield from super().kvm_riscv_mmu_free_pgd(current, vm)
