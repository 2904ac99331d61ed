"""Lifetimes: no freed vCPU is touched, and nothing that ends leaves a trace: KVM, a VM, a vCPU, a
call of KVM_RUN, or virtualization.

Each check of an ending is asked when the function that ends something returns, so it also sees a
function that does nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from weakref import WeakKeyDictionary

from hgeisim.checks.check import OperationCheck, ReturnCheck, vcpus
from hgeisim.checks.finding import Finding, Moment
from hgeisim.kernel.main import Module
from hgeisim.kernel.structs import Caller, Thread, Vcpu, Vm
from hgeisim.machine.shared import address_of, addresses


class UseAfterFree(OperationCheck):
    """No step reads or writes a vCPU or a page table that an earlier step freed.  Needs tracked
    memory.

    Source: kmem_cache_free in kvm_vcpu_destroy (kvm_main.c), free_pages in kvm_riscv_mmu_free_pgd
    (mmu.c); KASAN reports the first in a kernel.
    """

    def wrong(self, k: Module, moment: Moment) -> Iterator[Finding]:
        """Look at the cells that the step touched."""
        owners = _owners(k)
        for owner in dict.fromkeys(owners[each] for each in moment.touched if each in owners):
            if freed_before(owner, moment):
                table = isinstance(owner, Vm)
                what = f"the page table of {owner.name}" if table else owner.name
                text = f"{moment.who.name} touches {what} after it was freed, in "
                subject = "pgd" if table else moment.entry
                yield Finding("use-after-free", subject, text + moment.function)


_KNOWN = WeakKeyDictionary[Module, dict[int, Vcpu | Vm]]()


def _owners(k: Module) -> dict[int, Vcpu | Vm]:
    """The vCPU that each cell belongs to, or the VM with the page table that it lies in."""
    if k not in _KNOWN:
        _KNOWN[k] = {address: vcpu for vcpu in vcpus(k) for address in own_cells(vcpu)}
        _KNOWN[k] |= {address: vcpu.vm for vcpu in vcpus(k) for address in _page(vcpu)}
    return _KNOWN[k]


def own_cells(vcpu: Vcpu) -> set[int]:
    """The memory of a vCPU: its fields, its SW-file and its locks."""
    locks = (vcpu.vsfile_lock, vcpu.swfile_extirq_lock, vcpu.hfence_lock)
    parts = (vcpu, vcpu.wait, vcpu.swfile, vcpu.mutex, *locks)
    return {address for part in parts for address in addresses(part)} - _page(vcpu)


def _page(vcpu: Vcpu) -> set[int]:
    """The entry of its IMSIC page in the page table of its VM."""
    return {*addresses(vcpu, "pte_cpu", "pte_hgei")}


def freed_before(owner: Vcpu | Vm, moment: Moment) -> bool:
    """Whether a vCPU, or the page table of a VM, was freed before this step."""
    field = "pgd_freed" if isinstance(owner, Vm) else "freed"
    return address_of(owner, field) not in moment.writes and getattr(owner, field) == 1


def alive(vcpus: Iterable[Vcpu]) -> Iterator[Finding]:
    """Report vCPUs whose memory was not given back."""
    for vcpu in vcpus:
        if not vcpu.freed:
            text = f"{vcpu.name} is destroyed, and was not freed"
            yield Finding("left-behind", "vcpu", text)


class VcpuGone(ReturnCheck):
    """A vCPU that was destroyed is freed, and has no VS-file.

    Source: kvm_riscv_vcpu_aia_imsic_cleanup (aia_imsic.c) releases its VS-file.
    """

    about = "kvm_riscv_vcpu_aia_imsic_cleanup"

    def wrong(self, k: Module, ret: None, current: Caller, vcpu: Vcpu) -> Iterator[Finding]:
        """Report its memory, and its VS-file; `dead-owner` is about its line."""
        yield from alive((vcpu,))
        if vcpu.vsfile_cpu >= 0:
            text = f"{vcpu.name} is destroyed, and has line {vcpu.vsfile_hgei} of HART "
            yield Finding("left-behind", "vsfile", f"{text}{vcpu.vsfile_cpu}")


class RunGone(ReturnCheck):
    """A vCPU that has left KVM_RUN is on no CPU, and its thread does not hold its mutex.

    Source: kvm_vcpu_ioctl (kvm_main.c), which ends with mutex_unlock, and vcpu_put before it.
    """

    about = "kvm_vcpu_ioctl_end"

    def wrong(self, k: Module, ret: None, current: Thread, vcpu: Vcpu) -> Iterator[Finding]:
        """Report a vCPU that the next ioctl waits for, or that other CPUs send IPIs after."""
        if vcpu.mutex.owner == current.id:
            text = f"{current.name} has left KVM_RUN, and holds {vcpu.mutex}"
            yield Finding("left-behind", "vcpu->mutex", text)
        elif not vcpu.mutex.owner and (vcpu.loaded or vcpu.cpu >= 0):
            text = f"{vcpu.name} has left KVM_RUN, and is loaded: its vcpu->cpu is {vcpu.cpu}"
            yield Finding("left-behind", "vcpu->cpu", text)


class VmGone(ReturnCheck):
    """A VM that was destroyed has no vCPU any more.

    Source: kvm_arch_destroy_vm calls kvm_destroy_vcpus (kvm_main.c).
    """

    about = "kvm_destroy_vm"

    def wrong(self, k: Module, ret: None, current: Thread, vm: Vm) -> Iterator[Finding]:
        """Report the vCPUs that are left."""
        yield from alive(vm.vcpus)


class TableGone(ReturnCheck):
    """When the memory of a monitor is gone, so is the page table of its VM.

    Source: kvm_arch_flush_shadow_all (mmu.c), which is called when nothing may be mapped any more.
    """

    about = "kvm_mmu_notifier_release"

    def wrong(self, k: Module, ret: None, current: Thread, vm: Vm) -> Iterator[Finding]:
        """Report a page table that nobody will give back."""
        if not vm.pgd_freed:
            text = f"the monitor of {vm.name} has exited, and its page table was not given back"
            yield Finding("left-behind", "pgd", text)


class SgeiGone(ReturnCheck):
    """KVM that was unloaded has freed the SGEI interrupt.

    Source: aia_hgei_exit (aia.c), by way of riscv_kvm_exit.
    """

    about = "riscv_kvm_exit"

    def wrong(self, k: Module, ret: None, current: Thread) -> Iterator[Finding]:
        """Report an interrupt whose handler is gone with the module."""
        if k.globals.hgei_parent_irq:
            text = "KVM is unloaded, and the SGEI interrupt was not freed"
            yield Finding("left-behind", "sgei", text)


class VirtualizationGone(ReturnCheck):
    """When the host is shut down, virtualization is off on every CPU that is online.

    Source: kvm_shutdown (kvm_main.c), which disables it on each CPU.
    """

    about = "kvm_shutdown"

    def wrong(self, k: Module, ret: None, current: Thread) -> Iterator[Finding]:
        """Report a CPU that the next kernel finds with virtualization on."""
        for hart in k.hart:
            if hart.online and k.per_cpu[hart.id].virtualization_enabled:
                text = f"the host is shut down, and virtualization is on on CPU {hart.id}"
                yield Finding("left-behind", "virtualization", text)
