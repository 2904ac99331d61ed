"""arch/riscv/kvm/main.c and virt/kvm/kvm_main.c of v6.12: the module's life, VMs, shutdown."""

from __future__ import annotations

from hgeisim.kernel.cpu import Cpuhp
from hgeisim.kernel.structs import AUTO, EINVAL, EMUL, HWACCEL, Thread, Vm
from hgeisim.machine.ops import STEP, Path


class Module(Cpuhp):
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

    def aia_init(k, current: Thread, vm: Vm) -> Path[None]:
        """aia_imsic_addr and aia_init, v6.12: under kvm->lock, each vCPU's address is set with
        vcpu->mutex held, and its page goes onto the I/O bus, which waits for SRCU readers."""
        yield vm.lock.lock
        i = 0
        while i < len(vm.vcpus):
            yield vm.vcpus[i].mutex.lock
            yield vm.vcpus[i].mutex.unlock
            yield vm.slots_lock.lock
            yield vm.srcu.synchronize_srcu
            yield vm.slots_lock.unlock
            i += 1
        yield vm.lock.unlock

    def aia_config(k, vm: Vm) -> Path[int]:
        """aia_config, v6.12: without any HGEI line AUTO and HWACCEL are refused, and the monitor
        stays with EMUL."""
        yield STEP
        if vm.aia_mode in (AUTO, HWACCEL) and not k.globals.kvm_riscv_aia_nr_hgei:
            return -EINVAL
        return 0

    def kvm_destroy_vm(k, current: Thread, vm: Vm) -> Path[None]:
        """kvm_destroy_vm, v6.12: its vCPUs in turn, then its share of virtualization."""
        i = 0
        while i < len(vm.vcpus):
            yield from k.kvm_riscv_vcpu_aia_imsic_cleanup(current, vm.vcpus[i])
            i += 1
        yield from k.kvm_disable_virtualization(current)

    def kvm_shutdown(k, current: Thread) -> Path[None]:
        """kvm_shutdown, v6.12: on_each_cpu, so aia_disable runs as a hardirq on every other CPU, on
        top of whatever is there; vCPUs that go on enter their guests all the same."""
        yield STEP
        k.globals.kvm_rebooting = 1
        yield from k.on_each_cpu_mask(current, (1 << len(k.hart)) - 1, k.disable_here)
