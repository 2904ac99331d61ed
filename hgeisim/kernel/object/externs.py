"""The functions that objects call and that the model has: one table, symbol -> path.

Each entry takes the kernel, the context and what is in the argument registers, and returns a path;
what the path returns is what C gets.  Functions that only return a value are in CONSTANTS.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from hgeisim.kernel.object.csrs import SIE, enable, restore
from hgeisim.machine.ipi import Ipi
from hgeisim.machine.ops import STEP, Path, Spend
from hgeisim.object.layout import DEVICES, DEVICES_END, NULL_PAGE, PAGE_SHIFT, file_of
from hgeisim.object.object_code import KernelFault

Extern: TypeAlias = Callable[..., Path[Any]]
OfKernel: TypeAlias = Any
"""A path of a kernel whose class is known only when it runs."""
TEARDOWN = Spend("vm_teardown")
HGEI_PARENT_IRQ = 5
"""Any number that is not an error."""
CONSTANTS = {
    "_printk": 0,
    "preempt_schedule": 0,
    "preempt_schedule_notrace": 0,
    "__riscv_isa_extension_available": 1,
    "riscv_get_intc_hwnode": 1,
    "irq_find_matching_fwspec": 1,
    "irq_create_mapping_affinity": HGEI_PARENT_IRQ,
    "irq_get_irq_data": 0,
    "kvm_register_device_ops": 0,
    "kvm_unregister_device_ops": 0,
    "kvm_io_bus_register_dev": 0,
    "free_pages": 0,
}
"""Functions whose result is all that matters here; an AIA machine without errors."""


def lock_operation(name: str, result: int = 0) -> Extern:
    """The operation of this name of the lock whose address is the first argument; C gets a result,
    such as flags to restore."""

    def call(k: Any, current: Any, address: int, *_: int) -> Path[int]:
        return then(getattr(lock_at(k, address), name), result)

    return call


def unlock_irqrestore(name: str) -> Extern:
    """The same of one that restores flags: the second argument."""

    def call(k: Any, current: Any, address: int, flags: int, *_: int) -> Path[int]:
        restore(flags)
        return then(getattr(lock_at(k, address), name), 0)

    return call


def unlock_irq(name: str) -> Extern:
    """The same of one that turns interrupts on, whatever they were."""

    def call(k: Any, current: Any, address: int, *_: int) -> Path[int]:
        enable(current)
        return then(getattr(lock_at(k, address), name), 0)

    return call


def trylock(name: str) -> Extern:
    """The operation of this name of a lock; C gets 1 if it has the lock then, else 0."""

    def call(k: Any, current: Any, address: int, *_: int) -> Path[int]:
        got = yield getattr(lock_at(k, address), name)
        return int(bool(got))

    return call


def then(op: Any, result: int) -> Path[int]:
    """An operation, and what C gets for it."""
    yield op
    return result


def lock_at(k: Any, address: int) -> Any:
    """The lock of the model that lies at an address."""
    found = k.structs.locks.get(address)
    if found is None:
        what = "NULL dereference" if address < NULL_PAGE else f"no lock at {address:#x}"
        raise KernelFault(f"{what}: a lock is taken at {address:#x}", ())
    return found


def request_percpu_irq(k: Any, current: Any, *_: int) -> Path[int]:
    """request_percpu_irq of SGEI."""
    yield STEP
    k.globals.hgei_parent_irq = 1
    return 0


def free_percpu_irq(k: Any, current: Any, *_: int) -> Path[None]:
    """free_percpu_irq of SGEI."""
    yield STEP
    k.globals.hgei_parent_irq = 0


def enable_percpu_irq(k: Any, current: Any, *_: int) -> Path[None]:
    """enable_percpu_irq of SGEI."""
    yield k.sgei_desc_lock.lock_irqsave
    k.per_cpu[current.cpu].sgei_irq_enabled = k.globals.hgei_parent_irq
    yield k.sgei_desc_lock.unlock_irqrestore


def disable_percpu_irq(k: Any, current: Any, *_: int) -> Path[None]:
    """disable_percpu_irq of SGEI."""
    yield k.sgei_desc_lock.lock_irqsave
    k.per_cpu[current.cpu].sgei_irq_enabled = 0
    yield k.sgei_desc_lock.unlock_irqrestore


def static_key_enable(k: Any, current: Any, key: int, *_: int) -> Path[None]:
    """static_key_enable: its branches change, everywhere."""
    yield STEP
    k.object.shared.store_bytes(key, 4, 1)


def kvm_vcpu_kick(k: Any, current: Any, vcpu: int, *_: int) -> OfKernel:
    """kvm_vcpu_kick."""
    return k.kvm_vcpu_kick(current, k.structs.vcpu(vcpu))


def kvm_riscv_vcpu_set_interrupt(k: Any, current: Any, vcpu: int, irq: int, *_: int) -> OfKernel:
    """kvm_riscv_vcpu_set_interrupt."""
    return k.kvm_riscv_vcpu_set_interrupt(current, k.structs.vcpu(vcpu), 1 << irq)


def kvm_riscv_vcpu_unset_interrupt(k: Any, current: Any, vcpu: int, irq: int, *_: int) -> OfKernel:
    """kvm_riscv_vcpu_unset_interrupt."""
    return k.kvm_riscv_vcpu_unset_interrupt(k.structs.vcpu(vcpu), 1 << irq)


def kvm_riscv_gstage_ioremap(
    k: Any, current: Any, kvm: int, gpa: int, hpa: int, *how: int
) -> OfKernel:
    """kvm_riscv_gstage_ioremap of the page of a VS-file."""
    size, writable = how[:2]
    vcpu, (cpu, hgei) = k.structs.vcpu_of_page(kvm, gpa), file_of(hpa)
    if not DEVICES <= hpa < DEVICES_END or cpu >= len(k.hart):
        raise KernelFault(f"the page at {hpa:#x}, which is not a VS-file, is mapped", ())
    if size != 1 << PAGE_SHIFT or not writable & 1:
        raise KernelFault(f"a VS-file is mapped with {size} bytes, writable {writable & 1}", ())
    return k.kvm_riscv_mmu_ioremap(current, vcpu, cpu, hgei)


def kvm_riscv_gstage_iounmap(k: Any, current: Any, kvm: int, gpa: int, *_: int) -> OfKernel:
    """kvm_riscv_gstage_iounmap of it."""
    return k.kvm_riscv_mmu_iounmap(current, k.structs.vcpu_of_page(kvm, gpa))


def kvm_riscv_local_hfence_gvma_all(k: Any, current: Any, *_: int) -> Path[None]:
    """HFENCE.GVMA of everything on this CPU."""
    yield STEP
    k.flush_all_vms(current.cpu)


def xa_load(k: Any, current: Any, array: int, index: int, *_: int) -> Path[int]:
    """xa_load of kvm->vcpu_array, which changes only while its VM is made."""
    yield from ()
    return int(k.structs.vcpu_in(array, index))


def xa_find(k: Any, current: Any, array: int, index: int, *_: int) -> Path[int]:
    """xa_find of kvm->vcpu_array without an upper bound: the next vCPU from an index on, which it
    sets."""
    return next_in(k, array, index, 0)


def xa_find_after(k: Any, current: Any, array: int, index: int, *_: int) -> Path[int]:
    """xa_find_after: the one behind an index."""
    return next_in(k, array, index, 1)


def next_in(k: Any, array: int, index: int, behind: int) -> Path[int]:
    """The address of the next vCPU, NULL if there is none."""
    yield from ()
    at = k.object.shared.load(index, 8) + behind
    found: int = k.structs.vcpu_in(array, at)
    if found:
        k.object.shared.store_bytes(index, 8, at)
    return found


def kvm_io_bus_unregister_dev(k: Any, current: Any, kvm: int, *_: int) -> Path[int]:
    """kvm_io_bus_unregister_dev: the part that waits."""
    return then(k.structs.vm(kvm).srcu.synchronize_srcu, 0)


def kfree(k: Any, current: Any, address: int, *_: int) -> Path[None]:
    """Kfree: of an IMSIC context, the vCPU's memory is gone from then on."""
    yield TEARDOWN
    if not address:
        return
    vcpu = k.structs.vcpu_of_imsic(address)
    if vcpu is None:
        raise KernelFault(f"kfree of {address:#x}, which no kzalloc has returned", ())
    if vcpu.freed:
        raise KernelFault(f"kfree of the IMSIC context of {vcpu.name}, which was freed", ())
    vcpu.freed = 1


def on_each_cpu_cond_mask(
    k: Any, current: Any, condition: int, function: int, info: int, *rest: int
) -> OfKernel:
    """on_each_cpu_mask with wait: the function runs on other CPUs, with a pointer into this stack.

    The model's own IPI of that name is used, if it has one, so that checks see it.
    """
    mask = k.object.shared.constant(rest[1], 8) or 0
    if not function:
        raise KernelFault("NULL dereference: an IPI of no function", ())
    found = k.object.image.function_at(function)
    name = found.name if found else hex(function)
    known = k.ipis.get(name)
    if known is not None:
        return known(k, current, mask, info)
    return k.on_each_cpu_mask(current, mask, ipi(k, name, function, info))


def ipi(k: Any, name: str, function: int, info: int) -> Ipi:
    """The operation that sends it, each time the same."""
    if (function, info) not in k.sent_ipis:

        def handler(current: Any, sender: Any) -> Path[Any]:
            at = k.object.enter(current.number, function, (info,))
            path: Path[Any] = k.object_path(name)(k, current, at)
            return path

        handler.__name__ = name
        k.sent_ipis[function, info] = Ipi(handler)
    made: Ipi = k.sent_ipis[function, info]
    return made


EXTERNS: dict[str, Extern] = {
    "__raw_spin_lock_init": lock_operation("init"),
    "_raw_spin_lock_irqsave": lock_operation("lock_irqsave", SIE),
    "_raw_spin_unlock_irqrestore": unlock_irqrestore("unlock_irqrestore"),
    "_raw_spin_lock_irq": lock_operation("lock_irqsave"),
    "_raw_spin_unlock_irq": unlock_irq("unlock_irqrestore"),
    "_raw_spin_lock": lock_operation("lock"),
    "_raw_spin_unlock": lock_operation("unlock"),
    "_raw_spin_trylock": trylock("trylock"),
    "_raw_read_lock_irqsave": lock_operation("read_lock_irqsave", SIE),
    "_raw_read_unlock_irqrestore": unlock_irqrestore("read_unlock_irqrestore"),
    "_raw_read_lock": lock_operation("read_lock"),
    "_raw_read_unlock": lock_operation("read_unlock"),
    "_raw_write_lock_irqsave": lock_operation("write_lock_irqsave", SIE),
    "_raw_write_unlock_irqrestore": unlock_irqrestore("write_unlock_irqrestore"),
    "_raw_write_lock": lock_operation("write_lock"),
    "_raw_write_unlock": lock_operation("write_unlock"),
    "mutex_lock": lock_operation("lock"),
    "mutex_lock_killable": lock_operation("lock"),
    "mutex_lock_interruptible": lock_operation("lock"),
    "mutex_trylock": trylock("trylock"),
    "mutex_unlock": lock_operation("unlock"),
    "__request_percpu_irq": request_percpu_irq,
    "free_percpu_irq": free_percpu_irq,
    "enable_percpu_irq": enable_percpu_irq,
    "disable_percpu_irq": disable_percpu_irq,
    "static_key_enable": static_key_enable,
    "kvm_vcpu_kick": kvm_vcpu_kick,
    "kvm_riscv_vcpu_set_interrupt": kvm_riscv_vcpu_set_interrupt,
    "kvm_riscv_vcpu_unset_interrupt": kvm_riscv_vcpu_unset_interrupt,
    "kvm_riscv_gstage_ioremap": kvm_riscv_gstage_ioremap,
    "kvm_riscv_gstage_iounmap": kvm_riscv_gstage_iounmap,
    "kvm_riscv_mmu_ioremap": kvm_riscv_gstage_ioremap,
    "kvm_riscv_mmu_iounmap": kvm_riscv_gstage_iounmap,
    "kvm_io_bus_unregister_dev": kvm_io_bus_unregister_dev,
    "kfree": kfree,
    "kvm_riscv_local_hfence_gvma_all": kvm_riscv_local_hfence_gvma_all,
    "xa_load": xa_load,
    "xa_find": xa_find,
    "xa_find_after": xa_find_after,
    "on_each_cpu_cond_mask": on_each_cpu_cond_mask,
}
"""The table."""
