"""imsic_release reads the VS-file before the page is unmapped: stores in between are lost."""

from hgeisim.patch import STEP, Imsic


class ReadsFirst(Imsic):
    """kvm_riscv_vcpu_aia_imsic_release with its two steps in the wrong order."""

    def kvm_riscv_vcpu_aia_imsic_release(k, current, vcpu):
        """Read, then unmap."""
        yield vcpu.vsfile_lock.write_lock_irqsave
        old_cpu, old_hgei = vcpu.vsfile_cpu, vcpu.vsfile_hgei
        vcpu.vsfile_cpu = vcpu.vsfile_hgei = -1
        yield vcpu.vsfile_lock.write_unlock_irqrestore
        if old_cpu < 0:
            return
        yield STEP
        yield from k.imsic_vsfile_read(current, vcpu, old_cpu, old_hgei)
        yield from k.kvm_riscv_mmu_iounmap(current, vcpu)
        yield from k.imsic_swfile_update(current, vcpu)
        yield from k.kvm_riscv_aia_free_hgei(old_cpu, old_hgei)
