"""What the kernel keeps in memory, and the object `k` that every path is a method of."""

from __future__ import annotations

from hgeisim.machine.hart import Hart
from hgeisim.machine.mutex import mutex
from hgeisim.machine.ops import EnterGuest, Ipi, Path, SampleSgei, Spend
from hgeisim.machine.shared import Array, Field, Fixed, Memory, Shared, build
from hgeisim.machine.spinlock import RawSpinlock, raw_spinlock
from hgeisim.machine.task import RcuWait, Runner, rcuwait
from hgeisim.machine.topology import Topology

ENOENT = 2
AUTO, HWACCEL = "auto", "hwaccel"
OUTSIDE_GUEST_MODE, IN_GUEST_MODE, EXITING_GUEST_MODE = range(3)


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
    """The global variables: kvm_riscv_aia_nr_hgei."""

    kvm_riscv_aia_nr_hgei: Field


class PerCpu(Shared):
    """Per-CPU variables of kvm_main.c: virtualization_enabled."""

    virtualization_enabled: Field


class Thread(Runner):
    """A kernel thread.

    `read_hgei` and `read_mrif` are its struct imsic_vsfile_read_data: the guest file to read and
    what was found pending there.
    """

    read_hgei: Field
    read_mrif: Field


class Vcpu(Shared):
    """A vCPU with its IMSIC context (struct imsic, aia_imsic.c).

    `vsfile_cpu`, `vsfile_hgei` name its VS-file, -1 and -1 without one (vsfile_hgei is 0 there in
    C; nothing reads it).  `vgein` is what its guest's hstatus.VGEIN will be: a line, or 0.
    `sw_pending` is the SW-file reduced to one pending bit.  `mode` is vcpu->mode, `requests` is
    not 0 while a request waits.  `stop` asks its thread to leave the run loop, `freed` is 1 once
    its memory was given back.  `aia_mode` is AUTO or HWACCEL.
    """

    vsfile_cpu: Field
    vsfile_hgei: Field
    vgein: Field
    mode: Field
    requests: Field
    sw_pending: Field
    stop: Field
    freed: Field
    id: int
    name: str
    aia_mode: str
    thread: Thread
    wait: RcuWait
    enter_guest: EnterGuest
    guest: Spend


class Kernel(Fixed):
    """The state of one kernel on one machine; the paths are added by the classes below it.

    `k.hart[cpu]`, `k.hgei[cpu]` and `k.per_cpu[cpu]` are indexed by CPU number, `k.vcpus[id]` by
    vCPU id, which starts at 1; `k.vcpu_of[thread]` is the vCPU of its own thread.
    `k.vsfile_read[cpu]` is the IPI that reads a VS-file, `k.ack_flush[cpu]` the one that waits for
    a guest to exit.  With a `memory` all of it is tracked.
    """

    name = ""

    def __init__(k, topology: Topology, memory: Memory | None = None) -> None:
        k.topology, k.memory = topology, memory
        k.hart = [_hart(memory, cpu, h.lines) for cpu, h in enumerate(topology.harts)]
        slots = max(hart.geilen for hart in k.hart) + 1
        k.hgei = [_hgei_control(memory, cpu, slots) for cpu in range(len(k.hart))]
        k.per_cpu = [build(PerCpu, memory, f"cpu{cpu}") for cpu in range(len(k.hart))]
        k.globals = build(Globals, memory, "globals")
        k.cpu_hotplug_lock = mutex(memory, "cpu_hotplug_lock")
        k.vsfile_read = [Ipi(cpu, k.imsic_vsfile_local_read) for cpu in range(len(k.hart))]
        k.ack_flush = [Ipi(cpu, k.ack_flush_here) for cpu in range(len(k.hart))]
        k.threads: list[Thread] = []
        k.vcpus: list[Vcpu | None] = [None]
        k.vcpu_of: dict[Runner, Vcpu] = {}

    def add_thread(k, name: str, cpu: int) -> Thread:
        """Make a thread that starts on a CPU; its id counts from 1."""
        thread = build(Thread, k.memory, name, cpu=cpu, harts=k.hart)
        thread.name, thread.id = name, len(k.threads) + 1
        k.threads.append(thread)
        return thread

    def add_vcpu(k, name: str, cpu: int, aia_mode: str = AUTO) -> Vcpu:
        """Make a vCPU with its thread, without a VS-file."""
        vcpu = build(Vcpu, k.memory, name, vsfile_cpu=-1, vsfile_hgei=-1)
        vcpu.id, vcpu.name, vcpu.aia_mode = len(k.vcpus), name, aia_mode
        vcpu.thread = k.add_thread(f"vcpu/{name}", cpu)
        vcpu.wait = rcuwait(k.memory, f"{name}.wait")
        vcpu.enter_guest = EnterGuest(vcpu.id)
        vcpu.guest = Spend("guest_run", name, guest=True)
        k.vcpus.append(vcpu)
        k.vcpu_of[vcpu.thread] = vcpu
        return vcpu

    def vcpu(k, ident: int) -> Vcpu:
        """The vCPU that an `owners` entry points to."""
        vcpu = k.vcpus[ident]
        assert vcpu is not None, "NULL is no vCPU"
        return vcpu

    def nr_hgei(k, hgctrl: HgeiControl) -> int:
        """The number of lines that this kernel believes a CPU to have."""
        raise NotImplementedError

    def kvm_riscv_aia_enable(k, current: Thread) -> Path[None]:
        """Turn the AIA of this CPU on."""
        raise NotImplementedError

    def kvm_riscv_aia_disable(k, current: Thread) -> Path[None]:
        """Turn the AIA of this CPU off."""
        raise NotImplementedError

    def kvm_riscv_vcpu_aia_imsic_release(k, current: Thread, vcpu: Vcpu) -> Path[None]:
        """Take the VS-file from a vCPU."""
        raise NotImplementedError

    def ack_flush_here(k, cpu: int, sender: Thread) -> Path[None]:
        """Answer a request that waits."""
        raise NotImplementedError

    def imsic_vsfile_local_read(k, cpu: int, sender: Thread) -> Path[None]:
        """Read and clear a VS-file on its own CPU."""
        raise NotImplementedError


def _hart(memory: Memory | None, cpu: int, lines: int) -> Hart:
    hart = build(Hart, memory, f"hart{cpu}", active=1, online=1)
    hart.id, hart.name, hart.geilen, hart.sgei = cpu, f"hart{cpu}", lines, SampleSgei(cpu)
    return hart


def _hgei_control(memory: Memory | None, cpu: int, slots: int) -> HgeiControl:
    name = f"hgei{cpu}"
    lock = raw_spinlock(memory, f"{name}.lock")
    return build(HgeiControl, memory, name, owners=slots, lock=lock, cpu=cpu)
