"""The state of one kernel: the object `k` that every path is a method of.

A patch adds fields to a struct as C does, in the struct.  A class of the kernel names the struct
again and lists the new fields::

    class Dying(Aia):
        class Vcpu(structs.Vcpu):
            dying: Field

Python's method resolution does for structs what it does for functions; fields of several patches
add up (`extended`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache, wraps
from types import FrameType, MappingProxyType
from typing import Any, TypeVar

from hgeisim.errors import ModelError
from hgeisim.kernel.structs import (
    AUTO,
    Globals,
    HardIrq,
    HgeiControl,
    PerCpu,
    Thread,
    Vcpu,
    Vm,
    make_hardirq,
    make_hart,
    make_hgei_control,
    make_rq,
    make_thread,
    make_vcpu,
    make_vm,
)
from hgeisim.machine.freezer import freezer
from hgeisim.machine.guest import EnterGuest
from hgeisim.machine.guest_vmid import guest_vmid
from hgeisim.machine.ipi import Ipi, SampleSgei, SendReschedule
from hgeisim.machine.mutex import mutex, rwsem
from hgeisim.machine.ops import Path
from hgeisim.machine.schedule import RunOn
from hgeisim.machine.shared import Fixed, Memory, Shared, build
from hgeisim.machine.spinlock import raw_spinlock, spinlock
from hgeisim.machine.task import Runner
from hgeisim.machine.topology import Clock, Topology
from hgeisim.machine.watch import Watch

S = TypeVar("S", bound=Shared)
VCPU_LOCKS = (
    *("mutex", "hfence_lock", "vsfile_lock", "swfile_extirq_lock", "irqs_pending_lock"),
    *("registers", "translations", "enter_guest", "guest"),
)
"""What a vCPU that is gone does without."""


def extended(kernel: type, struct: type[S]) -> type[S]:
    """A struct with the fields that the patches of a kernel add to it; each time the same."""
    made: type[S] = _extended(kernel, struct)
    return made


@cache
def _extended(kernel: type, struct: Any) -> Any:
    name = struct.__name__
    patched = [vars(cls)[name] for cls in reversed(kernel.__mro__) if name in vars(cls)]
    if len(patched) < 2:
        return patched[0] if patched else struct
    fields = {
        field: kind for each in patched for field, kind in vars(each)["__annotations__"].items()
    }
    return type(struct)(name, (struct,), {"__module__": __name__, "__annotations__": fields})


def no_step(check: Callable[..., None]) -> Callable[..., None]:
    """Decorate a check of what a path relies on: what it reads is not an access of the path.

    It is an input all the same, so a remembered step is checked wherever it may go wrong.
    """

    @wraps(check)
    def checked(k: Kernel, *args: Any) -> None:
        if k.memory is None:
            check(k, *args)
        else:
            k.memory.aside(check, k, *args)

    return checked


class Kernel(Fixed):
    """The state of one kernel on one machine; the paths are added by the classes below it.

    `k.hart[cpu]`, `k.hgei[cpu]`, `k.rq[cpu]` and `k.per_cpu[cpu]` are indexed by CPU number,
    `k.vcpus[id]` by vCPU id, which starts at 1; `k.vcpu_of[thread]` is the vCPU of its own thread.
    With a `memory` all of it is tracked.  `realtime`: PREEMPT_RT, spinlock_t and rwlock_t sleep.
    `locks_are_steady`: no path initialises a lock that others may use already.
    `preemptions` are the preemption models that its code was compiled for, none if for any.
    `stores_apart`: fields that a lock guards together are stored one after the other, so that a
    check looks at them only while nobody holds that lock for writing.
    `keeps_registers`: a vCPU may be loaded without writing its registers, since the HART has them.
    A kernel that writes all of them at each load can miss none, so there they are not modelled.
    `powers_down`: a HART may lose its power while it is idle, for scenarios that ask for that.
    `vmids_run_out`: other VMs use up the VMIDs, for scenarios that ask for that.
    `halt_poll_ns_max` and `enable_virt_at_load` are module parameters of KVM.  `watch` has those
    that look on while it runs, and `shown` the functions that they can see, with their parameters.
    `entered` has the functions of patches that were called, where somebody notes them.
    `objects` are the files of a build whose code it has, each with its digest.
    """

    name = ""
    locks_are_steady = True
    preemptions: tuple[str, ...] = ()
    objects: tuple[tuple[str, str], ...] = ()
    stores_apart = False
    keeps_registers = False
    powers_down = False
    shown: Mapping[str, tuple[str, ...]] = MappingProxyType({})

    def __init__(
        k,
        topology: Topology,
        memory: Memory | None = None,
        realtime: bool = False,
        watch: Watch | None = None,
        clock: Clock | None = None,
    ) -> None:
        k.topology, k.memory, k.realtime = topology, memory, realtime
        k.watch, k.clock = watch or Watch(), clock or Clock()
        k.watch.functions = k.shown
        k.entered: set[str] = set()
        cpus = range(len(topology.harts))
        k.slots = max(hart.lines for hart in topology.harts) + 1
        k.hart = [make_hart(memory, cpu, topology.harts[cpu].lines, k.slots) for cpu in cpus]
        hgei = extended(type(k), HgeiControl)
        k.hgei = [make_hgei_control(hgei, memory, cpu, k.slots, k.locks_are_steady) for cpu in cpus]
        k.rq = [make_rq(memory, cpu) for cpu in cpus]
        k.per_cpu = [build(extended(type(k), PerCpu), memory, f"cpu{cpu}") for cpu in cpus]
        k.globals = build(extended(type(k), Globals), memory, "globals")
        k.freezer = freezer(memory)
        k.cpu_hotplug_lock = rwsem(memory, "cpu_hotplug_lock", "cpu_hotplug_lock")
        k.vmid_lock = spinlock(memory, "vmid_lock", "vmid_lock", realtime)
        k.cpuhp_state_mutex = mutex(memory, "cpuhp_state_mutex", "cpuhp_state_mutex")
        k.kvm_usage_lock = mutex(memory, "kvm_usage_lock", "kvm_usage_lock")
        k.sgei_desc_lock = raw_spinlock(memory, "irq_desc.lock", "irq_desc(SGEI)->lock")
        k.sparse_irq_lock = mutex(memory, "sparse_irq_lock", "sparse_irq_lock")
        name = "cpu_pm_notifier.lock"
        k.cpu_pm_notifier_lock = raw_spinlock(memory, name, name)
        k.vsfile_local_read = Ipi(k.imsic_vsfile_local_read)
        k.vsfile_local_rw = Ipi(k.imsic_vsfile_local_rw)
        k.ack_kick = Ipi(k.ack_flush)
        k.hfence_gvma_all = Ipi(k.local_hfence_gvma_all)
        k.disable_here = Ipi(k.kvm_disable_virtualization_cpu)
        k.irqfd = Ipi(k.irqfd_wakeup, device=True)
        k.sgei = [SampleSgei(cpu) for cpu in cpus]
        k.reschedule = [SendReschedule(cpu) for cpu in cpus]
        k.cpuhp_thread = [RunOn(cpu) for cpu in cpus]
        for hart, sgei in zip(k.hart, k.sgei, strict=True):
            hart.sgei = sgei
        k.halt_poll_ns_max = 0
        k.enable_virt_at_load = True
        k.vmids_run_out = False
        k.threads: list[Thread] = []
        k.threads_made = 0
        k.vms: list[Vm] = []
        k.vcpus: list[Vcpu | None] = [None]
        k.vcpu_of: dict[Runner, Vcpu] = {}

    def ktime_get(k) -> int:
        """The time in ns, always 0 where there is none."""
        return k.clock.now_ns()

    def add_thread(k, name: str, cpu: int) -> Thread:
        """Make a thread that starts on a CPU; its id counts from 1."""
        k.threads_made += 1
        thread = make_thread(k.memory, name, k.threads_made, cpu, k.hart)
        k.threads.append(thread)
        return thread

    def forget_thread(k, thread: Thread) -> None:
        """Give back the memory of a thread that has ended, but for what its name and state are."""
        k.threads.remove(thread)
        k.vcpu_of.pop(thread, None)
        for name in ("data", "pi_lock", "schedule", "activate", "wait_off_cpu", "select_rq"):
            setattr(thread, name, None)

    def forget_vm(k, vm: Vm) -> None:
        """Give back the memory of a VM that is gone, but for what its figures are."""
        for vcpu in vm.vcpus:
            k.forget_thread(vcpu.thread)
            for name in VCPU_LOCKS:
                if hasattr(vcpu, name):
                    setattr(vcpu, name, None)
        for name in ("lock", "slots_lock", "srcu", "mmu_lock", "vmid"):
            setattr(vm, name, None)
        k.vms.remove(vm)

    def hardirq(k, name: str, number: int, cpu: int) -> HardIrq:
        """Make an interrupt context of a CPU; `number` distinguishes it from the others."""
        return make_hardirq(k.memory, name, number, cpu, k.hart)

    def add_vm(k, name: str, aia_mode: int = AUTO) -> Vm:
        """Make a VM without vCPUs."""
        vm = make_vm(extended(type(k), Vm), k.memory, name, aia_mode, k.realtime)
        vm.vmid = guest_vmid(k.memory, name, len(k.hart))
        k.vms.append(vm)
        return vm

    def add_vcpu(k, name: str, cpu: int, vm: Vm) -> Vcpu:
        """Make a vCPU with its thread, without a VS-file."""
        thread = k.add_thread(f"vcpu/{name}", cpu)
        vcpu = make_vcpu(extended(type(k), Vcpu), k.memory, name, vm, thread)
        vcpu.id = len(k.vcpus)
        vcpu.identity, vcpu.enter_guest = 0, EnterGuest(vcpu.id)
        vm.vcpus.append(vcpu)
        k.vcpus.append(vcpu)
        k.vcpu_of[thread] = vcpu
        return vcpu

    def source_of(k, frames: Sequence[FrameType]) -> str:
        """Where in its source a path is, file:line, if that is code of an object; `frames` are its
        own, outermost first."""
        return ""

    def vcpu(k, ident: int) -> Vcpu:
        """The vCPU that an `owners` entry points to."""
        vcpu = k.vcpus[ident]
        if vcpu is None:
            raise ModelError("NULL is not a vCPU")
        return vcpu

    @no_step
    def must_be_on(k, current: Runner, cpu: int) -> None:
        """A context runs on the CPU that its path is about (F4); raises `ModelError` if not."""
        if current.cpu != cpu:
            raise ModelError(f"{current} runs on CPU {current.cpu}, not on CPU {cpu} (F4)")

    @no_step
    def must_be_enabled(k, cpu: int) -> None:
        """Virtualization is on where a vCPU enters its guest (F1); raises `ModelError` if not."""
        if not (k.per_cpu[cpu].virtualization_enabled or k.globals.kvm_rebooting):
            raise ModelError(f"CPU {cpu} is used without virtualization (F1)")

    def imsic_vsfile_local_read(k, current: Runner, sender: Any) -> Path[None]:
        """Read and clear a VS-file on its own CPU."""
        raise NotImplementedError

    def imsic_vsfile_local_rw(k, current: Runner, sender: Any) -> Path[None]:
        """Read or write a register of a VS-file on its own CPU."""
        raise NotImplementedError

    def local_hfence_gvma_all(k, current: Any, sender: Any) -> Path[None]:
        """Drop what this CPU has cached of all VMs."""
        raise NotImplementedError

    def ack_flush(k, current: Runner, sender: Any) -> Path[None]:
        """Answer a request that waits."""
        raise NotImplementedError

    def kvm_disable_virtualization_cpu(k, current: Any, sender: Any) -> Path[None]:
        """Turn virtualization off on this CPU."""
        raise NotImplementedError

    def irqfd_wakeup(k, current: Runner, sender: Any) -> Path[None]:
        """A device's interrupt injects an MSI."""
        raise NotImplementedError
