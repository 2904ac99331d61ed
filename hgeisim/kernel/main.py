"""arch/riscv/kvm/main.c and virt/kvm/kvm_main.c of v6.12: the module's life, VMs, shutdown."""

from __future__ import annotations

from hgeisim.kernel.structs import EMUL, Thread, Vcpu, Vm
from hgeisim.kernel.suspend import Suspend
from hgeisim.machine.ops import STEP, Path


class Module(Suspend):
    """Loading and unloading KVM, making and destroying VMs, and the end of the host."""

    def riscv_kvm_init(k, current: Thread) -> Path[None]:
        """riscv_kvm_init, v6.12 (2.1): the initcall, on whatever CPU runs it."""
        yield from k.kvm_riscv_aia_init(current)
        if k.enable_virt_at_load:
            yield from k.kvm_enable_virtualization(current)

    def riscv_kvm_exit(k, current: Thread) -> Path[None]:
        """riscv_kvm_exit, v6.12: AIA goes first, its interrupt is still enabled (bug B-17)."""
        yield from k.kvm_riscv_aia_exit(current)
        if k.enable_virt_at_load:
            yield from k.kvm_disable_virtualization(current)

    def kvm_riscv_aia_exit(k, current: Thread) -> Path[None]:
        """kvm_riscv_aia_exit, v6.12: free_percpu_irq of SGEI."""
        yield STEP
        k.globals.hgei_parent_irq = 0

    def kvm_create_vm(k, current: Thread, vm: Vm) -> Path[None]:
        """kvm_create_vm and the AIA device of the VM, v6.12."""
        yield from k.kvm_enable_virtualization(current)
        ret = yield from k.aia_config(vm)
        if ret < 0:
            vm.aia_mode = EMUL

    def kvm_vm_ioctl_create_vcpu(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """kvm_vm_ioctl_create_vcpu, v7.3: until a vCPU is whole, its mutex keeps others out."""
        yield vcpu.vm.lock.lock
        yield vcpu.mutex.lock
        yield vcpu.mutex.unlock
        yield vcpu.vm.lock.unlock

    def kvm_destroy_vm(k, current: Thread, vm: Vm) -> Path[None]:
        """kvm_destroy_vm, v6.12: its vCPUs in turn, then its share of virtualization."""
        i = 0
        while i < len(vm.vcpus):
            yield from k.kvm_riscv_vcpu_aia_imsic_cleanup(current, vm.vcpus[i])
            i += 1
        yield from k.kvm_disable_virtualization(current)

    def kvm_mmu_notifier_release(k, current: Thread, vm: Vm) -> Path[None]:
        """kvm_mmu_notifier_release, v6.12: the memory of the monitor goes away (exit_mm), and with
        it the page table of the VM; the VM stays for as long as somebody has its file open."""
        yield vm.srcu.srcu_read_lock
        yield from k.kvm_riscv_mmu_free_pgd(current, vm)
        yield vm.srcu.srcu_read_unlock

    def kvm_shutdown(k, current: Thread) -> Path[None]:
        """kvm_shutdown, v6.12: on_each_cpu, so aia_disable runs as a hardirq on every other CPU, on
        top of whatever is there; vCPUs that go on enter their guests all the same."""
        yield STEP
        k.globals.kvm_rebooting = 1
        yield from k.on_each_cpu_mask(current, (1 << len(k.hart)) - 1, k.disable_here)
