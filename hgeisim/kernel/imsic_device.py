"""arch/riscv/kvm/aia_imsic.c of v6.12: traps, ioctls, resets, and the end of a vCPU."""

from __future__ import annotations

from hgeisim.kernel.imsic import Imsic
from hgeisim.kernel.structs import Caller, Thread, Vcpu
from hgeisim.machine.guest import SWEEP_VSFILE
from hgeisim.machine.hart import bit
from hgeisim.machine.interrupt_file import topei
from hgeisim.machine.ops import STEP, Path, Spend
from hgeisim.machine.task import Runner

TEARDOWN = Spend("vm_teardown")


class ImsicDevice(Imsic):
    """The functions of aia_imsic.c that others than the run loop call."""

    def kvm_riscv_vcpu_aia_imsic_rmw_topei(k, current: Thread, vcpu: Vcpu) -> Path[int]:
        """imsic_mrif_topei_rmw, v6.12 (2.13): the guest claims from its SW-file, a trap.

        Returns the identity that it gets, 0 for none.
        """
        swfile = vcpu.swfile
        yield STEP
        top = topei(swfile.eip, swfile.eie, swfile.eithreshold)
        if top:
            yield STEP
            swfile.eip &= ~bit(top)
        yield from k.imsic_swfile_extirq_update(current, vcpu)
        return top

    def kvm_riscv_vcpu_aia_imsic_rmw_setup(k, current: Thread, vcpu: Vcpu, eie: int) -> Path[None]:
        """imsic_mrif_rmw, v6.12 (2.13), of eie and eidelivery: the guest sets its SW-file up.

        Each write is an atomic operation on a word of the SW-file, then extirq_update.
        """
        yield STEP
        vcpu.swfile.eie |= eie
        yield from k.imsic_swfile_extirq_update(current, vcpu)
        yield STEP
        vcpu.swfile.eidelivery = 1
        yield from k.imsic_swfile_extirq_update(current, vcpu)

    def kvm_riscv_aia_imsic_rw_attr(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """kvm_riscv_aia_imsic_rw_attr, v6.12 (2.14): a device ioctl reads eidelivery.

        Which VS-file it is, is read under vsfile_lock and used after it was dropped.
        """
        yield vcpu.vm.lock.lock
        yield vcpu.vsfile_lock.read_lock_irqsave
        cpu, hgei = vcpu.vsfile_cpu, vcpu.vsfile_hgei
        if cpu < 0:
            current.data.value = vcpu.swfile.eidelivery
        yield vcpu.vsfile_lock.read_unlock_irqrestore
        if cpu >= 0:
            yield STEP
            current.data.hgei, current.data.vcpu = hgei, vcpu.id
            yield from k.on_each_cpu_mask(current, 1 << cpu, k.vsfile_local_rw)
            yield STEP
            current.data.hgei = current.data.vcpu = 0
        yield vcpu.vm.lock.unlock

    def imsic_vsfile_local_rw(k, current: Runner, sender: Caller) -> Path[None]:
        """imsic_vsfile_local_rw, v6.12 (2.14): one register of a VS-file, in an IPI on its CPU."""
        hart, data = current.hart, sender.data
        old_vgein, old_of = hart.vgein, hart.vsfile_of
        hart.vgein, hart.vsfile_of = data.hgei, data.vcpu
        yield SWEEP_VSFILE
        if hart.has_file(data.hgei):
            data.value = hart.eidelivery[data.hgei]
        hart.vgein, hart.vsfile_of = old_vgein, old_of

    def kvm_riscv_vcpu_aia_imsic_reset(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """kvm_riscv_vcpu_aia_imsic_reset, v6.12 (2.15)."""
        yield from k.kvm_riscv_vcpu_aia_imsic_release(current, vcpu)
        yield STEP
        vcpu.swfile.clear()

    def kvm_riscv_vcpu_aia_imsic_cleanup(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """kvm_riscv_vcpu_aia_imsic_cleanup, v6.12 (2.15): a vCPU is destroyed.

        Preemptible throughout, also between the detach and free_hgei.  The last step gives the
        memory back (kfree of the IMSIC context and of the vCPU).
        """
        yield vcpu.vsfile_lock.write_lock_irqsave
        old_cpu, old_hgei = vcpu.vsfile_cpu, vcpu.vsfile_hgei
        vcpu.vsfile_cpu = vcpu.vsfile_hgei = -1
        yield vcpu.vsfile_lock.write_unlock_irqrestore
        yield STEP
        vcpu.swfile.clear()
        if old_cpu >= 0:
            yield from k.kvm_riscv_aia_free_hgei(old_cpu, old_hgei)
        yield vcpu.vm.slots_lock.lock
        yield vcpu.vm.srcu.synchronize_srcu
        yield vcpu.vm.slots_lock.unlock
        yield TEARDOWN
        vcpu.freed = 1
