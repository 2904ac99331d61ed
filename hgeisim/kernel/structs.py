"""The structs of the kernel that AIA's paths work on, and how each is made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from hgeisim.machine.creation import Creation, creation
from hgeisim.machine.guest import EnterGuest, RunGuest
from hgeisim.machine.guest_vmid import GuestVmid
from hgeisim.machine.hart import Hart
from hgeisim.machine.interrupt_file import InterruptFile
from hgeisim.machine.ledger import Ledger, ledger
from hgeisim.machine.mutex import Mutex, mutex
from hgeisim.machine.rwlock import RwLock, rwlock
from hgeisim.machine.schedule import Activate, Schedule, SelectRq, Task, WaitOffCpu
from hgeisim.machine.shared import Array, Field, Memory, Shared, build
from hgeisim.machine.spinlock import RawSpinlock, raw_spinlock, spinlock
from hgeisim.machine.srcu import Srcu, srcu
from hgeisim.machine.task import HARDIRQ_NUMBERS, Runner
from hgeisim.machine.translations import Translations, translations

ENOENT, EBUSY, EINVAL = 2, 16, 22
EMUL, HWACCEL, AUTO = range(3)
AIA_MODES = ("emul", "hwaccel", "auto")
"""The names of these modes."""
OUTSIDE_GUEST_MODE, IN_GUEST_MODE, EXITING_GUEST_MODE = range(3)
REQ_HFENCE, REQ_VCPU_RESET, REQ_UPDATE_HGATP = 1, 2, 4
IRQ_VS_SOFT = 1 << 2
"""The bit of the supervisor software interrupt in hvip and irqs_pending."""
EIDELIVERY, EIE = range(2)
"""Registers of an interrupt file that an ioctl can name."""
IRQ_VS_TIMER = 1 << 6
"""The bit of the supervisor timer interrupt in hvip and irqs_pending."""
IRQ_VS_EXT = 1 << 10
"""The bit of the supervisor external interrupt in hvip and irqs_pending."""


class HgeiControl(Shared):
    """struct aia_hgei_control of one CPU (aia.c).

    `nr_hgei` and `free_bitmap_initialized` exist since the per-HART series (v7.2); older bases
    leave them 0.  `owners` holds vCPU ids, 0 for NULL.
    """

    free_bitmap: Field
    nr_hgei: Field
    free_bitmap_initialized: Field
    owners: Array
    lock: RawSpinlock
    cpu: int


class Globals(Shared):
    """The global variables: the number of HGEI lines, whether SGEI was requested
    (hgei_parent_irq), whether AIA is there (a static key), kvm_usage_count and kvm_rebooting, and
    whether the callback of CPUHP_AP_KVM_ONLINE is installed, vmid_version (vmid.c)."""

    kvm_riscv_aia_nr_hgei: Field
    hgei_parent_irq: Field
    kvm_riscv_aia_available: Field
    kvm_usage_count: Field
    kvm_rebooting: Field
    cpuhp_kvm_online: Field
    vmid_version: Field


class PerCpu(Shared):
    """Per-CPU variables: virtualization_enabled (kvm_main.c), and whether the SGEI interrupt is
    enabled on this CPU (enable_percpu_irq)."""

    virtualization_enabled: Field
    sgei_irq_enabled: Field


class Rq(Shared):
    """struct rq of one CPU: its lock, and how many tasks run or wait there (a driver that ignores
    time leaves that 0).  Which task comes next is the driver's decision."""

    nr_running: Field
    lock: RawSpinlock
    cpu: int


class VsFileData(Shared):
    """struct imsic_vsfile_read_data and imsic_vsfile_rw_data, on the stack of who sends the IPI.

    `hgei` is the guest file, `isel` the register (EIDELIVERY or EIE), `write` is 1 to write it,
    `value` what is written or was read, `mrif` where all registers are put.  Only checks read
    `vcpu`, the id of the vCPU that the sender thinks of, and `asked`, the number of changes in the
    books of its guest when the sender began.
    """

    hgei: Field
    isel: Field
    write: Field
    value: Field
    vcpu: Field
    asked: Field
    mrif: InterruptFile


class Thread(Task):
    """A kernel thread or the thread of a vCPU; `data` lies on its stack."""

    data: VsFileData
    pi_lock: RawSpinlock


class HardIrq(Runner):
    """An interrupt context of a HART; `data` lies on its stack."""

    data: VsFileData


Caller: TypeAlias = Thread | HardIrq
"""Whoever can send an IPI about a VS-file."""


class RcuWait(Shared):
    """struct rcuwait: `waiter` is 1 between prepare_to_rcuwait and finish_rcuwait."""

    waiter: Field
    thread: Thread


class Vm(Shared):
    """struct kvm.  `vcpus` lists its vCPUs; `asked_mode` is the AIA mode that the monitor asked
    for, `aia_mode` the one that it got; `creation` says whether it is there; `stores` says whether
    a guest of it stores to an IMSIC page, so that translations matter.  `pgd` is 1 while it has a
    G-stage page table, then 0 (NULL), and `pgd_freed` is 1 once the memory of that was given back;
    `monitor_exits` says whether that may happen."""

    pgd: Field
    pgd_freed: Field
    aia_mode: Field
    asked_mode: int
    stores: bool
    monitor_exits: bool
    name: str
    vcpus: list[Vcpu]
    creation: Creation
    vmid: GuestVmid
    lock: Mutex
    slots_lock: Mutex
    srcu: Srcu
    mmu_lock: RawSpinlock


class Vcpu(Shared):
    """struct kvm_vcpu with its IMSIC context (struct imsic, aia_imsic.c).

    `cpu` is vcpu->cpu, -1 while it is not loaded; `loaded` is 1 while its preempt notifier is
    registered.  `mode` is vcpu->mode, `requests` are bits REQ_*, `hfence` is the queue of
    fences: a bit for each vCPU whose IMSIC page is meant.
    `irqs_pending`, `irqs_pending_mask` and `hvip` have bits IRQ_VS_*.  `vssip` is hvip.VSSIP as its
    HART has it, or had it when the vCPU was put: the one bit of that register that a guest changes
    itself (vsip.SSIP), 0 or IRQ_VS_SOFT.  `halt_poll_ns` is how long it polls before it sleeps.

    `vsfile_cpu`, `vsfile_hgei` name its VS-file, -1 and -1 without one, as in C; `swfile` is its
    SW-file.  `pte_cpu`, `pte_hgei` are where the G-stage page table maps its IMSIC page, -1 where
    it traps.  `vgein` is its guest's hstatus.VGEIN.

    `mmio` is the id of the vCPU to whose IMSIC page its guest has stored, while that trap is to be
    emulated, else 0.  `stop` asks its thread to leave the run loop, `freed` is 1 once its memory
    was given back, `booted` is 1 once its guest has set up its interrupt file.  `last_exit_cpu` is
    the CPU on which its guest was left last, -1 at first and after a reset.  `to_store` is the id
    of the vCPU to whose IMSIC page its guest stores next, else 0; `translations` is its own page
    as HARTs have cached it.  `to_write` is 1 while its guest is about to write to a page that the
    dirty log keeps read-only.  `masks` are the identities that its guest is about to disable.
    `traps` is 1 while its guest is about to take a trap that KVM redirects to it; `hgatp_version`
    is the version of the VMID in its HGATP.
    `identity` is the one that devices send it, above 6, or 0 for the usual one.  `ledger` has the
    books of its guest, which no path reads.
    """

    cpu: Field
    loaded: Field
    mode: Field
    requests: Field
    hfence: Field
    irqs_pending: Field
    irqs_pending_mask: Field
    hvip: Field
    vssip: Field
    halt_poll_ns: Field
    vsfile_cpu: Field
    vsfile_hgei: Field
    pte_cpu: Field
    pte_hgei: Field
    vgein: Field
    mmio: Field
    stop: Field
    freed: Field
    booted: Field
    last_exit_cpu: Field
    to_store: Field
    to_write: Field
    masks: Field
    traps: Field
    hgatp_version: Field
    id: int
    name: str
    identity: int
    vm: Vm
    thread: Thread
    ledger: Ledger
    translations: Translations
    swfile: InterruptFile
    wait: RcuWait
    mutex: Mutex
    hfence_lock: RawSpinlock
    vsfile_lock: RwLock
    swfile_extirq_lock: RawSpinlock
    enter_guest: EnterGuest
    guest: RunGuest


def make_hart(memory: Memory | None, cpu: int, lines: int, slots: int) -> Hart:
    """A HART with its lines, active and online; its arrays have `slots` elements."""
    files = dict.fromkeys(("eidelivery", "eithreshold", "eip", "eie"), slots)
    hart = build(Hart, memory, f"hart{cpu}", active=1, online=1, **files)
    hart.id, hart.name, hart.geilen = cpu, f"hart{cpu}", lines
    return hart


def make_hgei_control(
    kind: type[HgeiControl], memory: Memory | None, cpu: int, slots: int, steady: bool
) -> HgeiControl:
    """The control block of a CPU; `steady` unless a patch initialises its lock again."""
    name = f"hgei{cpu}"
    lock = raw_spinlock(memory, f"{name}.lock", "hgctrl->lock", steady)
    return build(kind, memory, name, owners=slots, lock=lock, cpu=cpu)


def make_rq(memory: Memory | None, cpu: int) -> Rq:
    """The run queue of a CPU."""
    lock = raw_spinlock(memory, f"rq{cpu}.lock", "rq->__lock")
    return build(Rq, memory, f"rq{cpu}", lock=lock, cpu=cpu)


def make_interrupt_file(memory: Memory | None, name: str) -> InterruptFile:
    """An interrupt file in memory, zeroed."""
    made = build(InterruptFile, memory, name)
    made.name = name
    return made


def make_data(memory: Memory | None, name: str) -> VsFileData:
    """Room for what an IPI is about, on a stack."""
    mrif = make_interrupt_file(memory, f"{name}.data.mrif")
    return build(VsFileData, memory, f"{name}.data", mrif=mrif)


def make_thread(
    memory: Memory | None, name: str, ident: int, cpu: int, harts: Sequence[Hart]
) -> Thread:
    """A thread that is executed on a CPU; `ident` is its number, from 1."""
    thread = build(Thread, memory, name, cpu=cpu, harts=harts, on_rq=1, on_cpu=1)
    thread.name, thread.id, thread.number = name, ident, ident
    thread.cpus_mask = (1 << len(harts)) - 1
    thread.data = make_data(memory, name)
    thread.pi_lock = raw_spinlock(memory, f"{name}.pi_lock", "p->pi_lock")
    thread.schedule, thread.activate = Schedule(thread), Activate(thread)
    thread.wait_off_cpu, thread.select_rq = WaitOffCpu(thread), SelectRq(thread)
    return thread


def make_hardirq(
    memory: Memory | None, name: str, number: int, cpu: int, harts: Sequence[Hart]
) -> HardIrq:
    """An interrupt context of a HART; `number` distinguishes it from the others."""
    made = build(HardIrq, memory, name, cpu=cpu, harts=harts, data=make_data(memory, name))
    made.name, made.id, made.number = name, 0, HARDIRQ_NUMBERS + number
    return made


def make_vm(kind: type[Vm], memory: Memory | None, name: str, aia_mode: int, sleeping: bool) -> Vm:
    """A VM without vCPUs; `sleeping`: its spinlocks sleep (PREEMPT_RT)."""
    vm = build(kind, memory, name, pgd=1, aia_mode=aia_mode)
    vm.name, vm.vcpus, vm.asked_mode = name, [], aia_mode
    vm.stores = vm.monitor_exits = False
    vm.creation = creation(memory, name)
    vm.lock = mutex(memory, f"{name}.lock", "kvm->lock")
    vm.slots_lock = mutex(memory, f"{name}.slots_lock", "kvm->slots_lock")
    vm.srcu = srcu(memory, f"{name}.srcu")
    vm.mmu_lock = spinlock(memory, f"{name}.mmu_lock", "kvm->mmu_lock", sleeping)
    return vm


def make_vcpu(kind: type[Vcpu], memory: Memory | None, name: str, vm: Vm, thread: Thread) -> Vcpu:
    """A vCPU without a VS-file; its id is to be set."""
    places = ("cpu", "vsfile_cpu", "vsfile_hgei", "pte_cpu", "pte_hgei", "last_exit_cpu")
    nothing = dict.fromkeys(places, -1)
    vcpu = build(kind, memory, name, **nothing)
    sleeping = vm.mmu_lock.sleeping
    vcpu.name, vcpu.vm, vcpu.thread = name, vm, thread
    vcpu.ledger = ledger(memory, name)
    vcpu.translations = translations(memory, name, len(thread.harts))
    vcpu.swfile = make_interrupt_file(memory, f"{name}.swfile")
    vcpu.wait = build(RcuWait, memory, f"{name}.wait", thread=thread)
    vcpu.mutex = mutex(memory, f"{name}.mutex", "vcpu->mutex", nest=vm.lock)
    vcpu.hfence_lock = spinlock(memory, f"{name}.hfence_lock", "vcpu->hfence_lock", sleeping)
    vcpu.vsfile_lock = rwlock(memory, f"{name}.vsfile_lock", "imsic->vsfile_lock", sleeping)
    vcpu.swfile_extirq_lock = raw_spinlock(
        memory, f"{name}.swfile_extirq_lock", "imsic->swfile_extirq_lock"
    )
    vcpu.guest = RunGuest(name)
    return vcpu
