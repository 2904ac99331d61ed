"""Patches that access guarded fields, rightly and wrongly."""

from hgeisim.patch import READ_ONCE, STEP, Aia, ImsicDevice, bit, clear_bit, set_bit, test_bit


class LooksOnce(ImsicDevice):
    """imsic_update looks at vsfile_cpu without the lock first, by READ_ONCE."""

    def kvm_riscv_vcpu_aia_imsic_update(k, current, vcpu):
        yield STEP
        if READ_ONCE(vcpu.vsfile_cpu) == current.cpu:
            yield STEP
        return (yield from super().kvm_riscv_vcpu_aia_imsic_update(current, vcpu))


class LooksPlainly(ImsicDevice):
    """The same by a plain read."""

    def kvm_riscv_vcpu_aia_imsic_update(k, current, vcpu):
        yield STEP
        if vcpu.vsfile_cpu == current.cpu:
            yield STEP
        return (yield from super().kvm_riscv_vcpu_aia_imsic_update(current, vcpu))


class Tests(Aia):
    """free_hgei looks at the bit without the lock first, by test_bit."""

    def kvm_riscv_aia_free_hgei(k, cpu, hgei):
        yield STEP
        if not test_bit(hgei, k.hgei[cpu].free_bitmap):
            yield from super().kvm_riscv_aia_free_hgei(cpu, hgei)


class Tries(Aia):
    """free_hgei takes the lock by trylock where it can."""

    def kvm_riscv_aia_free_hgei(k, cpu, hgei):
        hgctrl = k.hgei[cpu]
        got = yield hgctrl.lock.trylock_irqsave
        if not got:
            yield hgctrl.lock.lock_irqsave
        if not hgctrl.free_bitmap & bit(hgei):
            yield STEP
            set_bit(hgei, hgctrl, "free_bitmap")
            yield STEP
            hgctrl.owners[hgei] = 0
        yield hgctrl.lock.unlock_irqrestore


class Helps(Aia):
    """free_hgei calls a function that is no path, with the lock held."""

    def kvm_riscv_aia_free_hgei(k, cpu, hgei):
        hgctrl = k.hgei[cpu]
        yield hgctrl.lock.lock_irqsave
        k.give_back(hgctrl, hgei)
        yield hgctrl.lock.unlock_irqrestore

    def give_back(k, hgctrl, hgei):
        hgctrl.free_bitmap |= bit(hgei)
        hgctrl.owners[hgei] = 0


class HelpsUnlocked(Helps):
    """The same without the lock."""

    def kvm_riscv_aia_free_hgei(k, cpu, hgei):
        yield STEP
        k.give_back(k.hgei[cpu], hgei)


class Clears(Aia):
    """free_hgei writes atomically without the lock, which excludes nobody who holds it."""

    def kvm_riscv_aia_free_hgei(k, cpu, hgei):
        yield from super().kvm_riscv_aia_free_hgei(cpu, hgei)
        yield STEP
        clear_bit(0, k.hgei[cpu], "free_bitmap")


class Nothing(ImsicDevice):
    """A patch that changes nothing, so that in time each access is looked at."""

    def disarm_new_line(k, cpu, hgei):
        yield from super().disarm_new_line(cpu, hgei)


def check(k):
    """An invariant reads without locks, and may."""
    for hgctrl in k.hgei:
        if hgctrl.free_bitmap & 1 or hgctrl.owners[0]:
            return "line 0"
    for vcpu in k.vcpus:
        if vcpu is not None and vcpu.vsfile_hgei == 0:
            return f"{vcpu} has line 0"
    return None


class MapsUnlocked(ImsicDevice):
    """kvm_riscv_mmu_ioremap does not take mmu_lock."""

    def kvm_riscv_mmu_ioremap(k, current, vcpu, cpu, hgei):
        yield STEP
        yield from k.gstage_set_pte(current, vcpu, cpu, hgei)


class FencesUnlocked(ImsicDevice):
    """kvm_riscv_hfence_process empties the queue without hfence_lock."""

    def kvm_riscv_hfence_process(k, current, vcpu):
        yield STEP
        queue, vcpu.hfence = vcpu.hfence, 0
        k.kvm_riscv_local_hfence_gvma_vmid_gpa(current.cpu, vcpu.vm, queue)
