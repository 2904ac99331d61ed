"""The kernel that follows the trace: booted, with the vCPUs and threads that the trace names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from hgeisim.drivers.run_to_end import boot, run_alone
from hgeisim.drivers.traced.probed_call import Context, Probe, probed
from hgeisim.kernel.main import Module
from hgeisim.kernel.structs import HardIrq, Thread, Vcpu
from hgeisim.kernel.variants import find_variant
from hgeisim.machine.shared import Memory
from hgeisim.machine.topology import Topology
from hgeisim.trace import kvm_event as kvm
from hgeisim.trace.interval import Event
from hgeisim.trace.kernel_event import HotplugStep, HotplugStepReturn

PROBES: dict[type[kvm.Meaning], str] = {
    kvm.Alloc: "alloc",
    kvm.AllocReturn: "alloc_ret",
    kvm.Free: "free",
    kvm.FreeReturn: "free_ret",
    kvm.Update: "upd",
    kvm.UpdateReturn: "upd_ret",
    kvm.Release: "rel",
    kvm.ReleaseReturn: "rel_ret",
    kvm.Disable: "dis",
    kvm.DisableReturn: "dis_ret",
    kvm.Enable: "en",
    kvm.EnableReturn: "en_ret",
    kvm.Map: "ioremap",
    kvm.Unmap: "iounmap",
    kvm.Sweep: "lread",
    kvm.Sgei: "sgei",
    kvm.Kick: "kick",
    kvm.Wakeon: "wakeon",
}
"""The probe that has each event."""
NEEDED = frozenset(("alloc", "alloc_ret", "free"))
"""Without these there is nothing to follow; of the others the trace may have none at all."""
OVER = (kvm.Load, kvm.Put, HotplugStep, HotplugStepReturn)
"""Events that only tell that a call is over."""
FOLLOWED = (*PROBES, kvm.Run, kvm.Inject, *OVER)


@dataclass
class World:
    """What all hypotheses share: everything that is no cell of the memory.

    `vcpus` are those of the trace by pointer, `runners` are their threads by id, 0 if there is none
    in the trace, `threads` by thread, `irqs` handle IPIs and `sgeis` SGEI, one for each HART.
    `holders` are the vCPUs, not in the trace, that hold lines when it is not known who does, by
    HART and line.  `recorded` are the probes that the trace has at all.
    """

    k: Module
    memory: Memory
    recorded: frozenset[str]
    vcpus: dict[str, Vcpu] = field(default_factory=dict)
    runners: dict[int, int] = field(default_factory=dict)
    threads: dict[int, Thread] = field(default_factory=dict)
    irqs: Sequence[HardIrq] = ()
    sgeis: Sequence[HardIrq] = ()
    holders: dict[tuple[int, int], Vcpu] = field(default_factory=dict)
    pages: dict[int, int] = field(default_factory=dict)
    start: list[int] = field(default_factory=list)

    def tells(self, probe: str) -> bool:
        """Whether the trace has such events at all."""
        return probe in self.recorded

    def is_silent(self, probe: Probe, context: Context) -> bool:
        """Whether the trace does not tell this: it has no such events, or they are not compared."""
        if probe.name == "kick" and context.function != "hgei_interrupt":
            return True
        return probe.name not in self.recorded


def recorded_in(events: Iterable[object]) -> frozenset[str]:
    """The probes that a trace has at all."""
    told = (type(event.meaning) for event in events if isinstance(event, Event))
    return NEEDED.union(PROBES[each] for each in told if each in PROBES)


def make_world(
    variant: str,
    topology: Topology,
    events: Sequence[Event],
    middle: bool = False,
    recorded: frozenset[str] | None = None,
) -> World:
    """Boot a kernel and make what the events name; `recorded` are the probes of the whole trace, if
    the events are only a stretch of it.

    A CPU has virtualization from the start unless the first that is told of it is `en`.  No vCPU
    has a VS-file; or, with `middle`, every line is held by somebody not known.
    Raises `ValueError` when there is no such variant.
    """
    memory = Memory()
    k = probed(find_variant(variant))(topology, memory)
    k.enable_virt_at_load = False
    monitor = k.add_thread("swapper", 0)
    boot(k, monitor)
    world = World(k, memory, recorded_in(events) if recorded is None else recorded)
    cpus = range(len(topology.harts))
    world.irqs = [k.hardirq(f"ipi/{cpu}", cpu, cpu) for cpu in cpus]
    world.sgeis = [k.hardirq(f"sgei/{cpu}", len(cpus) + cpu, cpu) for cpu in cpus]
    _enable(k, monitor, events)
    _add_vcpus(world, events)
    if middle:
        _hold_all(world)
    world.start = list(memory.cells)
    return world


def _enable(k: Module, monitor: Thread, events: Iterable[Event]) -> None:
    """Turn virtualization on where it is at the start."""
    first: dict[int, type[kvm.Meaning]] = {}
    for event in events:
        if isinstance(event.meaning, kvm.Enable | kvm.Disable):
            first.setdefault(event.record.cpu, type(event.meaning))
    for cpu in range(len(k.hart)):
        if first.get(cpu) is not kvm.Enable:
            monitor.cpu = cpu
            run_alone(k.kvm_enable_virtualization_cpu(monitor), monitor)


def _add_vcpus(world: World, events: Iterable[Event]) -> None:
    """Make every vCPU, named after the thread that runs it if it was seen, and every thread."""
    comms: dict[str, str] = {}
    runners: dict[str, int] = {}
    for event in events:
        pointer = getattr(event.meaning, "vcpu", None)
        if pointer is not None:
            own = isinstance(event.meaning, kvm.Alloc | kvm.Update | kvm.Run | kvm.Wakeon)
            if own:
                runners[pointer] = event.thread
            if own or pointer not in comms:
                comms[pointer] = event.record.comm if own else pointer
        if event.thread not in world.threads:
            thread = world.k.add_thread(f"{event.record.comm}-{event.record.pid}", 0)
            world.threads[event.thread] = thread
    for pointer, name in comms.items():
        vcpu = world.vcpus[pointer] = world.k.add_vcpu(name, 0, world.k.add_vm(name))
        world.runners[vcpu.id] = runners.get(pointer, 0)


def _hold_all(world: World) -> None:
    """Let somebody hold each line."""
    k = world.k
    for cpu, hgctrl in enumerate(k.hgei):
        for line in range(1, k.nr_hgei(hgctrl) + 1):
            name = f"the owner of HART {cpu} line {line} at the start"
            vcpu = world.holders[cpu, line] = k.add_vcpu(name, cpu, k.add_vm(name))
            vcpu.vsfile_cpu, vcpu.vsfile_hgei = cpu, line
            hgctrl.owners[line] = vcpu.id
        hgctrl.free_bitmap = 0
