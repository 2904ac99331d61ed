"""Patches that count, with and without what makes that safe; and one that fails."""

from __future__ import annotations

from typing import Any

from hgeisim.kernel import structs
from hgeisim.kernel.aia import Aia
from hgeisim.kernel.kvm_main import Block
from hgeisim.kernel.structs import HgeiControl, Thread, Vcpu
from hgeisim.kernel.variants.percpu_v5 import PercpuV5
from hgeisim.kernel.vcpu import VcpuRun
from hgeisim.machine.atomics import READ_ONCE, WRITE_ONCE, atomic_inc
from hgeisim.machine.ops import LOCAL_IRQ_DISABLE, LOCAL_IRQ_ENABLE, STEP, Path
from hgeisim.machine.shared import Field
from hgeisim.machine.task import Runner


class Counts(Aia):
    """With no lock: the sum is wrong when two CPUs do it at once."""

    class Globals(structs.Globals):
        """And how many lines were handed out."""

        allocated: Field

    def kvm_riscv_aia_alloc_hgei(k, cpu: int, owner: Vcpu) -> Path[int]:
        """And count."""
        ret = yield from super().kvm_riscv_aia_alloc_hgei(cpu, owner)
        yield from k.count()
        return ret

    def count(k) -> Path[None]:
        """Count one more."""
        yield STEP
        k.globals.allocated = k.globals.allocated + 1


class CountsAtomically(Counts):
    """An atomic_t."""

    def count(k) -> Path[None]:
        """atomic_inc."""
        yield STEP
        atomic_inc(k.globals, "allocated")


class CountsMarked(Counts):
    """The sum may be wrong all the same, but there is no data race."""

    def count(k) -> Path[None]:
        """READ_ONCE, WRITE_ONCE."""
        yield STEP
        allocated = READ_ONCE(k.globals.allocated)
        yield STEP
        WRITE_ONCE(k.globals, "allocated", allocated + 1)


class CountsLocked(Counts):
    """Under a lock that all take."""

    def count(k) -> Path[None]:
        """With sgei_desc_lock, for want of another one."""
        yield k.sgei_desc_lock.lock_irqsave
        allocated = k.globals.allocated
        yield STEP
        k.globals.allocated = allocated + 1
        yield k.sgei_desc_lock.unlock_irqrestore


class CountsUnderItsOwn(Counts):
    """Under a lock of each CPU: two CPUs take two locks."""

    def kvm_riscv_aia_alloc_hgei(k, cpu: int, owner: Vcpu) -> Path[int]:
        """And count, with this CPU's lock."""
        ret = yield from Aia.kvm_riscv_aia_alloc_hgei(k, cpu, owner)
        yield k.hgei[cpu].lock.lock_irqsave
        k.globals.allocated = k.globals.allocated + 1
        yield k.hgei[cpu].lock.unlock_irqrestore
        return ret


class LooksMarked(Counts):
    """A plain write against a marked read, which KCSAN does not report by default."""

    def count(k) -> Path[None]:
        """READ_ONCE, and a plain write."""
        yield STEP
        allocated = READ_ONCE(k.globals.allocated)
        yield STEP
        k.globals.allocated = allocated * 0 + 1


class CountsAfterwards(Counts):
    """Reads the sum right after the unlock: what the unlock let in may write it meanwhile."""

    def count(k) -> Path[None]:
        """Under the lock, but for the last look."""
        yield k.sgei_desc_lock.lock_irqsave
        k.globals.allocated = k.globals.allocated + 1
        yield k.sgei_desc_lock.unlock_irqrestore
        if k.globals.allocated > 1 << 20:
            yield STEP


class CountsInVm(VcpuRun):
    """A field of struct kvm, with no lock."""

    class Vm(structs.Vm):
        """And how often its vCPUs were entered."""

        entries: Field

    def kvm_riscv_check_vcpu_requests(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """And count."""
        vm: Any = vcpu.vm
        yield STEP
        vm.entries = vm.entries + 1
        yield from super().kvm_riscv_check_vcpu_requests(current, vcpu)


class Handles(VcpuRun):
    """A count of SGEIs, which the handler writes; a thread on that CPU reads it."""

    class HgeiControl(structs.HgeiControl):
        """And how many."""

        handled: Field

    def hgei_interrupt(k, current: Runner) -> Path[None]:
        """And count."""
        hgctrl: Any = k.hgei[current.cpu]
        hgctrl.handled = hgctrl.handled + 1
        yield from super().hgei_interrupt(current)

    def kvm_riscv_check_vcpu_requests(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """And look."""
        hgctrl: Any = k.hgei[current.cpu]
        yield STEP
        if hgctrl.handled > 1 << 20:
            yield STEP
        yield from super().kvm_riscv_check_vcpu_requests(current, vcpu)


class HandlesOff(Handles):
    """The same with interrupts off."""

    def kvm_riscv_check_vcpu_requests(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """And look."""
        hgctrl: Any = k.hgei[current.cpu]
        yield LOCAL_IRQ_DISABLE
        if hgctrl.handled > 1 << 20:
            yield STEP
        yield LOCAL_IRQ_ENABLE
        yield from VcpuRun.kvm_riscv_check_vcpu_requests(k, current, vcpu)


class LooksBesides(Counts):
    """A function of its own whose name ends as one that marks an access."""

    def count(k) -> Path[None]:
        """A plain read, whatever it is called."""
        yield STEP
        allocated = k.no_READ_ONCE(k.globals.allocated)
        yield STEP
        k.globals.allocated = allocated + 1

    def no_READ_ONCE(k, value: int) -> int:
        """What it is given."""
        return value


class Crashes(Block):
    """Fails where a vCPU goes to sleep."""

    def kvm_vcpu_block(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """No."""
        yield STEP
        k.globals.kvm_usage_count = 1 // k.globals.kvm_rebooting


class WritesAgain(PercpuV5):
    """One more write of nr_hgei in kvm_riscv_aia_enable, beside those of V2-4."""

    def set_hgei_up(k, current: Runner, hgctrl: HgeiControl) -> Path[None]:
        """Then write what is there."""
        yield from super().set_hgei_up(current, hgctrl)
        yield STEP
        hgctrl.nr_hgei = hgctrl.nr_hgei + 0
