"""arch/riscv/kvm/aia_imsic.c of v6.12: VS-files, SW-files, and the way between them.

`Imsic` has the functions that a vCPU meets on its way into its guest, `ImsicDevice` those that
others call: traps, ioctls, resets, and the end of a vCPU.

The registers of a VS-file can be reached only on its HART, with VGEIN set, and are reached only
with interrupts off or in the vCPU's own thread: of them an MSI alone, from anywhere, can change
eip.  So a whole sweep is one step.  vsfile_lock is held around every access to vsfile_cpu and
vsfile_hgei, which makes each section under it one step as well.
"""

from __future__ import annotations

from hgeisim.kernel.aia import Aia
from hgeisim.kernel.structs import EIE, EMUL, HWACCEL, Caller, Thread, Vcpu
from hgeisim.machine.guest import SWEEP_VSFILE
from hgeisim.machine.hart import ALL_ONES, bit
from hgeisim.machine.interrupt_file import LOW, InterruptFile, sign_extended, topei
from hgeisim.machine.kernel_name import outside, part_of
from hgeisim.machine.ops import STEP, Path, Spend
from hgeisim.machine.task import Runner


class Imsic(Aia):
    """The functions of aia_imsic.c that a vCPU meets on its way into its guest."""

    def imsic_vsfile_local_read(k, current: Runner, sender: Caller) -> Path[None]:
        """imsic_vsfile_local_read, v6.12 (2.8 step 9): reads and clears a VS-file, in an IPI on its
        CPU."""
        hart, data, mrif = current.hart, sender.data, sender.data.mrif
        hgei = data.hgei
        old_vgein, old_of = hart.vgein, hart.vsfile_of
        hart.vgein, hart.vsfile_of = hgei, data.vcpu
        yield SWEEP_VSFILE
        if hart.has_file(hgei):
            mrif.eidelivery, mrif.eithreshold = hart.eidelivery[hgei], hart.eithreshold[hgei]
            mrif.eip, mrif.eie = hart.eip[hgei], hart.eie[hgei]
            hart.clear_file(hgei)
        hart.vgein, hart.vsfile_of = old_vgein, old_of

    def imsic_vsfile_local_clear(k, current: Runner, vcpu: Vcpu, hgei: int) -> Path[None]:
        """imsic_vsfile_local_clear, v6.12 (2.8 step 6): zeroes a VS-file on this CPU."""
        hart = current.hart
        yield STEP
        old_vgein, old_of = hart.vgein, hart.vsfile_of
        hart.vgein, hart.vsfile_of = hgei, vcpu.id
        yield SWEEP_VSFILE
        hart.clear_file(hgei)
        hart.vgein, hart.vsfile_of = old_vgein, old_of

    def imsic_vsfile_local_update(k, current: Thread, vcpu: Vcpu, hgei: int) -> Path[None]:
        """imsic_vsfile_local_update, v6.12 (2.8 step 12): adds what was saved to the new file."""
        hart, mrif = current.hart, current.data.mrif
        yield STEP
        old_vgein, old_of = hart.vgein, hart.vsfile_of
        hart.vgein, hart.vsfile_of = hgei, vcpu.id
        yield SWEEP_VSFILE
        if hart.has_file(hgei):
            hart.eip[hgei] |= mrif.eip
            hart.eie[hgei] |= mrif.eie
            hart.eithreshold[hgei], hart.eidelivery[hgei] = mrif.eithreshold, mrif.eidelivery
            hart.update_hgeip(hgei)
        hart.vgein, hart.vsfile_of = old_vgein, old_of
        mrif.clear()
        yield k.sgei[hart.id]

    def imsic_vsfile_read(k, current: Caller, vcpu: Vcpu, cpu: int, hgei: int) -> Path[None]:
        """imsic_vsfile_read, v6.12 (2.8 step 9): on_each_cpu_mask with wait, into `data.mrif`.

        Nothing happens, and nothing is pending, when that CPU is offline.
        """
        yield STEP
        current.data.hgei, current.data.vcpu = hgei, vcpu.id
        yield from k.on_each_cpu_mask(current, 1 << cpu, k.vsfile_local_read)
        yield STEP
        current.data.hgei = current.data.vcpu = 0

    def kvm_riscv_vcpu_aia_imsic_release(k, current: Caller, vcpu: Vcpu) -> Path[None]:
        """kvm_riscv_vcpu_aia_imsic_release, v6.12 (2.9): also called for somebody else's vCPU, by
        the CPU that goes offline."""
        yield vcpu.vsfile_lock.write_lock_irqsave
        old_cpu, old_hgei = vcpu.vsfile_cpu, vcpu.vsfile_hgei
        vcpu.vsfile_cpu = vcpu.vsfile_hgei = -1
        yield vcpu.vsfile_lock.write_unlock_irqrestore
        if old_cpu < 0:
            return
        yield from k.kvm_riscv_mmu_iounmap(current, vcpu)
        yield from k.imsic_vsfile_read(current, vcpu, old_cpu, old_hgei)
        yield from k.imsic_swfile_update(current, vcpu)
        yield from k.kvm_riscv_aia_free_hgei(old_cpu, old_hgei)

    @part_of(
        "imsic_swfile_update",
        "kvm_riscv_vcpu_aia_imsic_rmw_setup",
        "kvm_riscv_vcpu_aia_imsic_rmw_eie",
        "kvm_riscv_aia_imsic_rw_attr",
    )
    def imsic_mrif_atomic_rmw(
        k, mrif: InterruptFile, register: str, new_val: int, wr_mask: int
    ) -> Path[int]:
        """imsic_mrif_atomic_rmw, v6.12 (2.13): lr.w and sc.w on a word of 64 bits (bug B-27).

        The upper half stays as it is; returns the lower one as it was, with its sign extended.
        """
        yield STEP
        word = int(getattr(mrif, register))
        setattr(mrif, register, word & ~(LOW & wr_mask) | new_val & LOW & wr_mask)
        return sign_extended(word)

    def imsic_swfile_update(k, current: Caller, vcpu: Vcpu) -> Path[None]:
        """imsic_swfile_update, v6.12 (2.9 step 5): merges what was read into the SW-file, word by
        word."""
        swfile, mrif = vcpu.swfile, current.data.mrif
        yield from k.imsic_mrif_atomic_rmw(swfile, "eidelivery", mrif.eidelivery, ALL_ONES)
        swfile.eithreshold = mrif.eithreshold  # always 0: as good as in a step of its own
        yield STEP
        swfile.eip |= mrif.eip
        yield STEP
        swfile.eie |= mrif.eie
        mrif.clear()
        yield from k.imsic_swfile_extirq_update(current, vcpu)

    def imsic_swfile_extirq_update(k, current: Runner, vcpu: Vcpu) -> Path[None]:
        """imsic_swfile_extirq_update, v6.12 (2.12): computed and set, or unset, under one lock."""
        yield vcpu.swfile_extirq_lock.lock_irqsave
        if vcpu.swfile.deliverable():
            yield from k.kvm_riscv_vcpu_set_interrupt(current, vcpu)
        else:
            yield from k.kvm_riscv_vcpu_unset_interrupt(vcpu)
        yield vcpu.swfile_extirq_lock.unlock_irqrestore

    def imsic_swfile_read(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """imsic_swfile_read, v6.12 (2.8 step 11): copy and zero, word by word, no lock held."""
        swfile, mrif = vcpu.swfile, current.data.mrif
        yield STEP
        mrif.eip = swfile.eip
        yield STEP
        mrif.eie = swfile.eie
        yield STEP
        mrif.eithreshold, mrif.eidelivery = swfile.eithreshold, swfile.eidelivery
        yield from k.memset_swfile(vcpu)

    @part_of(
        "imsic_swfile_read",
        "kvm_riscv_vcpu_aia_imsic_reset",
        "kvm_riscv_vcpu_aia_imsic_cleanup",
    )
    def memset_swfile(k, vcpu: Vcpu) -> Path[None]:
        """Memset of the SW-file, v6.12, word by word."""
        yield STEP
        vcpu.swfile.eip = 0
        yield STEP
        vcpu.swfile.eie = 0
        yield STEP
        vcpu.swfile.eithreshold = vcpu.swfile.eidelivery = 0

    def kvm_riscv_vcpu_aia_imsic_update(k, current: Thread, vcpu: Vcpu) -> Path[int]:
        """kvm_riscv_vcpu_aia_imsic_update, v6.12 (2.8): before each guest entry, preemption off.

        Returns 1 to enter the guest, 0 for KVM_EXIT_FAIL_ENTRY: HWACCEL without a free line, the
        old line is kept.
        """
        if vcpu.vm.aia_mode == EMUL:
            return 1
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
        yield vcpu.vsfile_lock.write_lock_irqsave
        vcpu.vsfile_cpu, vcpu.vsfile_hgei = cpu, new_hgei
        yield vcpu.vsfile_lock.write_unlock_irqrestore
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

    @part_of("kvm_riscv_vcpu_aia_imsic_update")
    def imsic_without_vsfile(k, current: Thread, vcpu: Vcpu, old_cpu: int) -> Path[int]:
        """imsic_update without a free line (2.8 step 4): HWACCEL fails, AUTO uses the SW-file."""
        if vcpu.vm.aia_mode == HWACCEL:
            return 0
        if old_cpu >= 0:
            yield from k.kvm_riscv_vcpu_aia_imsic_release(current, vcpu)
        yield STEP
        vcpu.vgein = 0
        return 1

    @part_of("kvm_riscv_vcpu_aia_imsic_update")
    def disarm_new_line(k, cpu: int, hgei: int) -> Path[None]:
        """2.8 step 5: nothing in v6.12."""
        yield from ()

    def kvm_riscv_vcpu_aia_imsic_inject(k, current: Runner, vcpu: Vcpu, iid: int) -> Path[None]:
        """kvm_riscv_vcpu_aia_imsic_inject, v6.12 (2.12): an MSI that software delivers.

        v6.12 kicks the vCPU also after the store to its VS-file.
        """
        yield vcpu.vsfile_lock.read_lock_irqsave
        if vcpu.vsfile_cpu >= 0:
            hart = k.hart[vcpu.vsfile_cpu]
            hart.write_msi(vcpu.vsfile_hgei, iid)
            yield k.sgei[hart.id]
            yield from k.kick_after_store(current, vcpu)
        else:
            vcpu.swfile.eip |= bit(iid)
            yield from k.imsic_swfile_extirq_update(current, vcpu)
        yield vcpu.vsfile_lock.read_unlock_irqrestore

    @part_of("kvm_riscv_vcpu_aia_imsic_inject")
    def kick_after_store(k, current: Runner, vcpu: Vcpu) -> Path[None]:
        """kvm_vcpu_kick at the end of the VS-file branch, v6.12."""
        yield from k.kvm_vcpu_kick(current, vcpu)

    def irqfd_wakeup(k, current: Runner, sender: Caller) -> Path[None]:
        """irqfd_wakeup, v6.12: the hardirq of a device of the host ends in an MSI for the guest.

        `sender.data` says for which vCPU, and which identity.
        """
        vcpu = k.vcpu(sender.data.vcpu)
        iid = sender.data.value
        yield from k.kvm_riscv_vcpu_aia_imsic_inject(current, vcpu, iid)

    @outside("guest")
    def imsic_page_write(k, current: Runner, vcpu: Vcpu, iid: int) -> Path[None]:
        """A store to the guest's IMSIC page by another vCPU's guest.

        It is translated and arrives in one step, since the fence that follows a new translation
        waits for stores under way.

        No software sees the store when a VS-file is behind the page; without one it traps, and KVM
        injects (kvm_riscv_aia_inject_msi).
        """
        yield STEP
        cpu, hgei = vcpu.pte_cpu, vcpu.pte_hgei
        if cpu >= 0:
            k.hart[cpu].write_msi(hgei, iid)
            yield k.sgei[cpu]
        else:
            yield from k.kvm_riscv_vcpu_aia_imsic_inject(current, vcpu, iid)


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
        yield from k.imsic_mrif_atomic_rmw(vcpu.swfile, "eie", eie, eie)
        yield from k.imsic_swfile_extirq_update(current, vcpu)
        yield from k.imsic_mrif_atomic_rmw(vcpu.swfile, "eidelivery", 1, 1)
        yield from k.imsic_swfile_extirq_update(current, vcpu)

    def kvm_riscv_vcpu_aia_imsic_rmw_eie(
        k, current: Thread, vcpu: Vcpu, new_val: int, wr_mask: int
    ) -> Path[int]:
        """imsic_mrif_rmw, v6.12 (2.13), of eie: the guest disables identities of its SW-file.

        Returns what it reads.
        """
        old_val = yield from k.imsic_mrif_atomic_rmw(vcpu.swfile, "eie", new_val, wr_mask)
        yield from k.imsic_swfile_extirq_update(current, vcpu)
        return old_val

    def kvm_riscv_aia_imsic_rw_attr(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """kvm_riscv_aia_imsic_rw_attr, v6.12 (2.14): a device ioctl reads or writes a register,
        as `data` says.

        Which VS-file it is, is read under vsfile_lock and used after it was dropped.
        """
        yield vcpu.vm.lock.lock
        yield from k.rw_vcpu_attr(current, vcpu)
        yield vcpu.vm.lock.unlock

    @part_of("kvm_riscv_aia_imsic_rw_attr")
    def rw_vcpu_attr(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """The part that is about one vCPU, v6.12 (2.14): kvm->lock is all that is held."""
        yield vcpu.vsfile_lock.read_lock_irqsave
        cpu, hgei = vcpu.vsfile_cpu, vcpu.vsfile_hgei
        if cpu < 0:
            yield from k.rw_swfile(current, vcpu)
        yield vcpu.vsfile_lock.read_unlock_irqrestore
        if cpu >= 0:
            yield STEP
            current.data.hgei, current.data.vcpu = hgei, vcpu.id
            yield from k.on_each_cpu_mask(current, 1 << cpu, k.vsfile_local_rw)
            yield STEP
            current.data.hgei = current.data.vcpu = 0

    @part_of("kvm_riscv_aia_imsic_rw_attr")
    def rw_swfile(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """imsic_mrif_rmw, v6.12 (2.14), of the register of a SW-file that an ioctl names."""
        data = current.data
        register = "eie" if data.isel == EIE else "eidelivery"
        mask = ALL_ONES if data.write else 0
        old_val = yield from k.imsic_mrif_atomic_rmw(vcpu.swfile, register, data.value, mask)
        if data.write:
            yield from k.imsic_swfile_extirq_update(current, vcpu)
        else:
            data.value = old_val

    def imsic_vsfile_local_rw(k, current: Runner, sender: Caller) -> Path[None]:
        """imsic_vsfile_local_rw, v6.12 (2.14): one register of a VS-file, in an IPI on its CPU."""
        hart, data = current.hart, sender.data
        old_vgein, old_of = hart.vgein, hart.vsfile_of
        hart.vgein, hart.vsfile_of = data.hgei, data.vcpu
        yield SWEEP_VSFILE
        if hart.has_file(data.hgei):
            register = hart.eie if data.isel == EIE else hart.eidelivery
            if data.write:
                register[data.hgei] = data.value
                hart.update_hgeip(data.hgei)
            else:
                data.value = register[data.hgei]
        hart.vgein, hart.vsfile_of = old_vgein, old_of

    def kvm_riscv_vcpu_aia_imsic_reset(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """kvm_riscv_vcpu_aia_imsic_reset, v6.12 (2.15)."""
        yield from k.kvm_riscv_vcpu_aia_imsic_release(current, vcpu)
        yield from k.memset_swfile(vcpu)

    def kvm_riscv_vcpu_aia_imsic_cleanup(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """kvm_riscv_vcpu_aia_imsic_cleanup, v6.12 (2.15): a vCPU is destroyed.

        Preemptible throughout, also between the detach and free_hgei.  The last step gives the
        memory back (kfree of the IMSIC context and of the vCPU).
        """
        yield vcpu.vsfile_lock.write_lock_irqsave
        old_cpu, old_hgei = vcpu.vsfile_cpu, vcpu.vsfile_hgei
        vcpu.vsfile_cpu = vcpu.vsfile_hgei = -1
        yield vcpu.vsfile_lock.write_unlock_irqrestore
        yield from k.memset_swfile(vcpu)
        if old_cpu >= 0:
            yield from k.kvm_riscv_aia_free_hgei(old_cpu, old_hgei)
        yield vcpu.vm.slots_lock.lock
        yield vcpu.vm.srcu.synchronize_srcu
        yield vcpu.vm.slots_lock.unlock
        yield TEARDOWN
        vcpu.freed = 1
