"""The obvious mending of F-3: aia_disable takes a VS-file only if it is still on its CPU."""

from hgeisim.kernel.aia import Aia


class StillHere(Aia):
    """imsic_release looks under vsfile_lock, and leaves a file alone that has moved."""

    def take_line_away(k, current, vcpu, hgei):
        yield vcpu.vsfile_lock.write_lock_irqsave
        old_cpu, old_hgei = vcpu.vsfile_cpu, vcpu.vsfile_hgei
        here = old_cpu == current.cpu
        if here:
            vcpu.vsfile_cpu = vcpu.vsfile_hgei = -1
        yield vcpu.vsfile_lock.write_unlock_irqrestore
        if here:
            yield from k.kvm_riscv_mmu_iounmap(current, vcpu)
            yield from k.imsic_vsfile_read(current, vcpu, old_cpu, old_hgei)
            yield from k.imsic_swfile_update(current, vcpu)
            yield from k.kvm_riscv_aia_free_hgei(old_cpu, old_hgei)
