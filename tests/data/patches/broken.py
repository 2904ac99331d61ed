"""Plainly broken patches, each with one mistake, which a check notices."""

from hgeisim.kernel.aia import Aia
from hgeisim.kernel.aia_imsic import ImsicDevice
from hgeisim.kernel.structs import IRQ_VS_EXT
from hgeisim.kernel.vcpu import VcpuRun
from hgeisim.machine.guest import SWEEP_VSFILE
from hgeisim.machine.hart import bit, ffs
from hgeisim.machine.interrupt_file import topei
from hgeisim.machine.ops import STEP


class NothingArmed(ImsicDevice):
    """imsic_put does not set HGEIE."""

    def kvm_riscv_vcpu_aia_put(k, current, vcpu):
        yield from ()


class NothingRestored(ImsicDevice):
    """imsic_update brings nothing to the new VS-file."""

    def imsic_vsfile_local_update(k, current, vcpu, hgei):
        yield STEP
        current.data.mrif.clear()


class PendingForgotten(ImsicDevice):
    """imsic_update brings what is enabled, and not what is pending."""

    def imsic_vsfile_local_update(k, current, vcpu, hgei):
        current.data.mrif.eip = 0
        yield from super().imsic_vsfile_local_update(current, vcpu, hgei)


class ReleaseForgets(ImsicDevice):
    """imsic_release drops what was in the VS-file."""

    def imsic_swfile_update(k, current, vcpu):
        yield STEP
        current.data.mrif.clear()


class FreedBeforeRead(ImsicDevice):
    """The old line is given back before its file is read."""

    def imsic_vsfile_read(k, current, vcpu, cpu, hgei):
        yield from k.kvm_riscv_aia_free_hgei(cpu, hgei)
        yield from super().imsic_vsfile_read(current, vcpu, cpu, hgei)


class NothingTaken(Aia):
    """aia_disable takes no line away."""

    def take_line_away(k, current, vcpu, hgei):
        yield STEP


class PageStays(ImsicDevice):
    """imsic_release leaves the IMSIC page mapped to a file that is another's by then."""

    def kvm_riscv_mmu_iounmap(k, current, vcpu):
        yield STEP


class VgeinStays(ImsicDevice):
    """imsic_vsfile_local_clear does not put VGEIN back."""

    def imsic_vsfile_local_clear(k, current, vcpu, hgei):
        hart = current.hart
        yield STEP
        hart.vgein, hart.vsfile_of = hgei, vcpu.id
        yield SWEEP_VSFILE
        hart.clear_file(hgei)
        hart.vsfile_of = 0


class LevelStays(ImsicDevice):
    """The guest claims from its SW-file, and the level stays up."""

    def kvm_riscv_vcpu_aia_imsic_rmw_topei(k, current, vcpu):
        swfile = vcpu.swfile
        yield STEP
        top = topei(swfile.eip, swfile.eie, swfile.eithreshold)
        if top:
            yield STEP
            swfile.eip &= ~bit(top)
        return top


class LevelBeside(ImsicDevice):
    """VSEIP stays pending when a vCPU leaves its SW-file."""

    def kvm_riscv_vcpu_unset_interrupt(k, vcpu, irq=IRQ_VS_EXT):
        if vcpu.vsfile_cpu < 0:
            yield from super().kvm_riscv_vcpu_unset_interrupt(vcpu, irq)


class FileKept(ImsicDevice):
    """A vCPU without a line on its CPU keeps its old VS-file, and its guest has VGEIN = 0."""

    def imsic_without_vsfile(k, current, vcpu, old_cpu):
        yield STEP
        vcpu.vgein = 0
        return 1


class NotDisarmed(Aia):
    """hgei_interrupt leaves HGEIE as it is."""

    def hgei_interrupt(k, current):
        hgctrl, lines = k.hgei[current.cpu], current.hart.hgeip & current.hart.hgeie
        yield hgctrl.lock.lock_irqsave
        while lines:
            owner = hgctrl.owners[ffs(lines)]
            if owner:
                yield from k.kvm_vcpu_kick(current, k.vcpu(owner))
            lines &= lines - 1
            yield STEP
        yield hgctrl.lock.unlock_irqrestore


class ResetKeeps(ImsicDevice):
    """A reset empties nothing."""

    def kvm_riscv_vcpu_aia_imsic_reset(k, current, vcpu):
        yield STEP


class ResetKeepsEip(ImsicDevice):
    """A reset zeroes all of the SW-file but what is pending."""

    def kvm_riscv_vcpu_aia_imsic_reset(k, current, vcpu):
        yield from k.kvm_riscv_vcpu_aia_imsic_release(current, vcpu)
        yield STEP
        vcpu.swfile.eie = 0
        yield STEP
        vcpu.swfile.eithreshold = vcpu.swfile.eidelivery = 0


class ResetKeepsHvip(VcpuRun):
    """A reset does not zero hvip."""

    def reset_vcpu_context(k, vcpu):
        hvip = vcpu.hvip
        yield from super().reset_vcpu_context(vcpu)
        vcpu.hvip = hvip


class OtherLine(ImsicDevice):
    """An injection goes to line 1, whatever line the vCPU has."""

    def kvm_riscv_vcpu_aia_imsic_inject(k, current, vcpu, iid):
        yield vcpu.vsfile_lock.read_lock_irqsave
        if vcpu.vsfile_cpu >= 0:
            k.hart[vcpu.vsfile_cpu].write_msi(1, iid)
            yield k.sgei[vcpu.vsfile_cpu]
        else:
            vcpu.swfile.eip |= bit(iid)
            yield from k.imsic_swfile_extirq_update(current, vcpu)
        yield vcpu.vsfile_lock.read_unlock_irqrestore


class FreedTwice(ImsicDevice):
    """imsic_update gives the old line back a second time."""

    def imsic_vsfile_local_update(k, current, vcpu, hgei):
        yield from super().imsic_vsfile_local_update(current, vcpu, hgei)
        yield from k.kvm_riscv_aia_free_hgei(1 - current.cpu, 1)


class NothingFreed(Aia):
    """No line is ever given back."""

    def kvm_riscv_aia_free_hgei(k, cpu, hgei):
        yield STEP


class EnableForgets(Aia):
    """aia_enable leaves hie.SGEIE clear."""

    def enable_sgei(k, current):
        yield from super().enable_sgei(current)
        yield STEP
        current.hart.sgeie = 0


class FileNotCleared(ImsicDevice):
    """imsic_update takes a VS-file as its last owner has left it."""

    def imsic_vsfile_local_clear(k, current, vcpu, hgei):
        yield STEP


class SwapUnlocked(ImsicDevice):
    """imsic_update swaps the VS-file without vsfile_lock."""

    def kvm_riscv_vcpu_aia_imsic_update(k, current, vcpu):
        cpu = current.cpu
        yield vcpu.vsfile_lock.read_lock_irqsave
        old_cpu, old_hgei = vcpu.vsfile_cpu, vcpu.vsfile_hgei
        yield vcpu.vsfile_lock.read_unlock_irqrestore
        if old_cpu == cpu:
            return 1
        new_hgei = yield from k.kvm_riscv_aia_alloc_hgei(cpu, vcpu)
        if new_hgei <= 0:
            return (yield from k.imsic_without_vsfile(current, vcpu, old_cpu))
        yield from k.disarm_new_line(cpu, new_hgei)
        yield from k.imsic_vsfile_local_clear(current, vcpu, new_hgei)
        yield from k.kvm_riscv_mmu_ioremap(current, vcpu, cpu, new_hgei)
        yield from k.swap(vcpu, cpu, new_hgei)
        if old_cpu >= 0:
            yield from k.imsic_vsfile_read(current, vcpu, old_cpu, old_hgei)
            yield from k.kvm_riscv_aia_free_hgei(old_cpu, old_hgei)
        else:
            yield from k.imsic_swfile_read(current, vcpu)
            yield from k.kvm_riscv_vcpu_unset_interrupt(vcpu)
        yield from k.imsic_vsfile_local_update(current, vcpu, new_hgei)
        yield STEP
        vcpu.vgein = new_hgei
        return 1

    def swap(k, vcpu, cpu, new_hgei):
        yield STEP
        vcpu.vsfile_cpu, vcpu.vsfile_hgei = cpu, new_hgei


class SwapForReading(SwapUnlocked):
    """imsic_update swaps the VS-file with vsfile_lock held for reading."""

    def swap(k, vcpu, cpu, new_hgei):
        yield vcpu.vsfile_lock.read_lock_irqsave
        vcpu.vsfile_cpu, vcpu.vsfile_hgei = cpu, new_hgei
        yield vcpu.vsfile_lock.read_unlock_irqrestore


class SwapDropsEarly(SwapUnlocked):
    """imsic_update drops vsfile_lock before it has written both parts."""

    def swap(k, vcpu, cpu, new_hgei):
        yield vcpu.vsfile_lock.write_lock_irqsave
        vcpu.vsfile_cpu = cpu
        yield vcpu.vsfile_lock.write_unlock_irqrestore
        vcpu.vsfile_hgei = new_hgei


class FreesUnlocked(Aia):
    """free_hgei takes no lock."""

    def kvm_riscv_aia_free_hgei(k, cpu, hgei):
        hgctrl = k.hgei[cpu]
        yield STEP
        hgctrl.free_bitmap |= bit(hgei)
        yield STEP
        hgctrl.owners[hgei] = 0


class FreesUnderAnother(Aia):
    """free_hgei takes the lock of another CPU."""

    def kvm_riscv_aia_free_hgei(k, cpu, hgei):
        hgctrl, other = k.hgei[cpu], k.hgei[1 - cpu]
        yield other.lock.lock_irqsave
        hgctrl.free_bitmap |= bit(hgei)
        yield STEP
        hgctrl.owners[hgei] = 0
        yield other.lock.unlock_irqrestore
