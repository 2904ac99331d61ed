"""arch/riscv/kvm/aia.c of v6.12: one global number of HGEI lines for all HARTs.

Numbers such as 2.5 are the sections of the step lists in docs/paths.md.  A `yield STEP` stands
before each further access to shared memory, also under a lock: a lock that a patch breaks must
show its damage.
"""

from __future__ import annotations

from hgeisim.kernel.interrupts import Interrupts
from hgeisim.kernel.structs import ENOENT, Caller, HgeiControl, Vcpu
from hgeisim.machine.hart import ALL_ONES, bit, find_first_bit, fls
from hgeisim.machine.kernel_name import part_of
from hgeisim.machine.ops import PREEMPT_DISABLE, PREEMPT_ENABLE, STEP, Path
from hgeisim.machine.task import Runner


class Aia(Interrupts):
    """The functions of aia.c."""

    def nr_hgei(k, hgctrl: HgeiControl) -> int:
        """kvm_riscv_aia_nr_hgei: the same for every CPU."""
        return k.globals.kvm_riscv_aia_nr_hgei

    def kvm_riscv_aia_init(k, current: Runner) -> Path[None]:
        """kvm_riscv_aia_init, v6.12 (2.1): preemptible, on whatever CPU runs the initcall.

        Nothing keeps the three accesses to HGEIE on one HART.
        """
        yield STEP
        current.hart.write_hgeie(ALL_ONES)
        yield STEP
        nr_hgei = fls(current.hart.hgeie)
        yield STEP
        current.hart.write_hgeie(0)
        if nr_hgei:
            nr_hgei -= 1
        yield STEP
        k.globals.kvm_riscv_aia_nr_hgei = min(nr_hgei, k.guest_files_max())
        yield from k.aia_hgei_init()
        yield STEP
        k.globals.kvm_riscv_aia_available = 1

    @part_of("kvm_riscv_aia_init")
    def guest_files_max(k) -> int:
        """BIT(gc->guest_index_bits) - 1: what the address layout has room for."""
        return bit(k.topology.guest_index_bits) - 1

    def aia_hgei_init(k) -> Path[None]:
        """aia_hgei_init, v6.12 (2.2)."""
        cpu = 0
        while cpu < len(k.hgei):
            hgctrl = k.hgei[cpu]
            yield hgctrl.lock.init
            nr_hgei = k.globals.kvm_riscv_aia_nr_hgei
            if nr_hgei:
                hgctrl.free_bitmap = (bit(nr_hgei + 1) - 1) & ~bit(0)
            else:
                hgctrl.free_bitmap = 0
            cpu += 1
        yield from k.request_sgei()

    @part_of("aia_hgei_init")
    def request_sgei(k) -> Path[None]:
        """request_percpu_irq of SGEI in aia_hgei_init, v6.12 (2.2): also without any line."""
        yield STEP
        k.globals.hgei_parent_irq = 1

    def kvm_riscv_aia_enable(k, current: Runner) -> Path[None]:
        """kvm_riscv_aia_enable, v6.12 (2.3, steps 1 and 10-14), on this CPU."""
        yield STEP
        if k.globals.kvm_riscv_aia_available:
            yield from k.enable_sgei(current)

    @part_of("kvm_riscv_aia_enable")
    def enable_sgei(k, current: Runner) -> Path[None]:
        """The registers that are this CPU's own, and its SGEI (2.3, steps 10-14).

        HVIPRIO1 and HVIPRIO2 are never anything but 0.
        """
        hart = current.hart
        yield STEP
        hart.hvictl = 1
        yield k.sgei_desc_lock.lock_irqsave
        k.per_cpu[current.cpu].sgei_irq_enabled = k.globals.hgei_parent_irq
        yield k.sgei_desc_lock.unlock_irqrestore
        yield STEP
        hart.sgeie = 1
        yield k.sgei[hart.id]
        yield STEP
        hart.hvien = 1

    def kvm_riscv_aia_disable(k, current: Caller) -> Path[None]:
        """kvm_riscv_aia_disable, v6.12 (2.4), on this CPU: drops and retakes the lock for each
        owner it finds, because releasing a vCPU takes that lock too."""
        yield PREEMPT_DISABLE
        hgctrl = k.hgei[current.cpu]
        yield from k.disable_sgei(current)
        yield hgctrl.lock.lock_irqsave
        i = 0
        while i <= k.nr_hgei(hgctrl):
            yield STEP
            owner = hgctrl.owners[i]
            if owner:
                yield hgctrl.lock.unlock_irqrestore
                yield from k.take_line_away(current, k.vcpu(owner), i)
                yield hgctrl.lock.lock_irqsave
            i += 1
            yield STEP
        yield hgctrl.lock.unlock_irqrestore
        yield PREEMPT_ENABLE

    @part_of("kvm_riscv_aia_disable")
    def disable_sgei(k, current: Runner) -> Path[None]:
        """The registers that are this CPU's own, and its SGEI (2.4, steps 2-5)."""
        hart = current.hart
        yield STEP
        hart.hvien = 0
        yield STEP
        hart.sgeie = 0
        yield k.sgei_desc_lock.lock_irqsave
        k.per_cpu[current.cpu].sgei_irq_enabled = 0
        yield k.sgei_desc_lock.unlock_irqrestore
        yield STEP
        hart.hvictl = 0

    @part_of("kvm_riscv_aia_disable")
    def take_line_away(k, current: Caller, vcpu: Vcpu, hgei: int) -> Path[None]:
        """The body of the loop of kvm_riscv_aia_disable, v6.12 (2.4, steps 7b and 7c), no lock
        held."""
        yield from k.kvm_riscv_vcpu_aia_imsic_release(current, vcpu)
        hart = current.hart
        yield STEP
        if hart.hgeie & bit(hgei):
            yield STEP
            hart.hgeie &= ~bit(hgei)
            yield from k.kvm_vcpu_kick(current, vcpu)

    def kvm_riscv_aia_alloc_hgei(k, cpu: int, owner: Vcpu) -> Path[int]:
        """kvm_riscv_aia_alloc_hgei, v6.12 (2.5): the lowest free line, or -ENOENT.

        Its only caller runs it with preemption off, on `cpu`, in the thread of `owner`.
        """
        hgctrl = k.hgei[cpu]
        ret = -ENOENT
        yield hgctrl.lock.lock_irqsave
        k.must_be_on(owner.thread, cpu)
        k.must_be_enabled(cpu)
        free_bitmap = hgctrl.free_bitmap
        if free_bitmap:
            ret = find_first_bit(free_bitmap)
            yield STEP
            hgctrl.free_bitmap = free_bitmap & ~bit(ret)
            yield STEP
            hgctrl.owners[ret] = owner.id
        yield hgctrl.lock.unlock_irqrestore
        return ret

    def kvm_riscv_aia_free_hgei(k, cpu: int, hgei: int) -> Path[None]:
        """kvm_riscv_aia_free_hgei, v6.12 (2.6): from any CPU."""
        hgctrl = k.hgei[cpu]
        yield hgctrl.lock.lock_irqsave
        if 0 < hgei <= k.nr_hgei(hgctrl):
            yield STEP
            free_bitmap = hgctrl.free_bitmap
            if not free_bitmap & bit(hgei):
                yield STEP
                hgctrl.free_bitmap = free_bitmap | bit(hgei)
                yield STEP
                hgctrl.owners[hgei] = 0
        yield hgctrl.lock.unlock_irqrestore

    def aia_find_hgei(k, current: Runner, owner: Vcpu) -> Path[int]:
        """aia_find_hgei, v6.12 (2.10): the line of `owner` on *this* CPU, or -1."""
        yield PREEMPT_DISABLE
        hgctrl = k.hgei[current.cpu]
        yield hgctrl.lock.lock_irqsave
        hgei = -1
        i = 1
        while i <= k.nr_hgei(hgctrl):
            yield STEP
            if hgctrl.owners[i] == owner.id:
                hgei = i
                break
            i += 1
            yield STEP
        yield hgctrl.lock.unlock_irqrestore
        yield PREEMPT_ENABLE
        return hgei

    def kvm_riscv_vcpu_aia_has_interrupts(k, current: Runner, vcpu: Vcpu) -> Path[int]:
        """kvm_riscv_vcpu_aia_has_interrupts, v6.12 (2.11), only its HGEI part: reads HGEIP of
        the CPU that it is on after the search, whichever that is."""
        hgei = yield from k.aia_find_hgei(current, vcpu)
        if hgei > 0:
            yield STEP
            return 1 if current.hart.hgeip & bit(hgei) else 0
        return 0

    def kvm_riscv_aia_wakeon_hgei(k, current: Runner, owner: Vcpu, enable: int) -> Path[None]:
        """kvm_riscv_aia_wakeon_hgei, v6.12 (2.10): arm or disarm the SGEI of a blocked vCPU."""
        hgei = yield from k.aia_find_hgei(current, owner)
        if hgei > 0:
            yield STEP
            if enable:
                current.hart.write_hgeie(current.hart.hgeie | bit(hgei))
            else:
                current.hart.hgeie &= ~bit(hgei)
            yield k.sgei[current.cpu]

    def hgei_interrupt(k, current: Runner) -> Path[None]:
        """hgei_interrupt, v6.12 (2.7): the hardirq handler of SGEI on this CPU.

        One-shot: what it clears in HGEIE is armed again only when an owner blocks again.
        """
        hart, hgctrl = current.hart, k.hgei[current.cpu]
        hgei_mask = hart.hgeip & hart.hgeie
        yield STEP
        hart.hgeie &= ~hgei_mask
        yield hgctrl.lock.lock_irqsave
        while hgei_mask:
            owner = hgctrl.owners[find_first_bit(hgei_mask)]
            if owner:
                yield from k.kvm_vcpu_kick(current, k.vcpu(owner))
            hgei_mask &= hgei_mask - 1
            yield STEP
        yield hgctrl.lock.unlock_irqrestore

    def kvm_riscv_vcpu_aia_imsic_release(k, current: Caller, vcpu: Vcpu) -> Path[None]:
        """Take the VS-file from a vCPU."""
        raise NotImplementedError
