"""The kernel that follows a trace: booted, with the vCPUs and threads that the trace names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from hgeisim.drivers.run_to_end import boot, run_alone
from hgeisim.drivers.traced.probed_call import Call, Probe, probed
from hgeisim.kernel.main import Module
from hgeisim.kernel.structs import HardIrq, Thread, Vcpu
from hgeisim.kernel.variants import find_variant
from hgeisim.machine.shared import Memory
from hgeisim.machine.topology import Topology
from hgeisim.trace import kvm_event as kvm
from hgeisim.trace.event_names import MEANINGS
from hgeisim.trace.interval import Event
from hgeisim.trace.kernel_event import HotplugStep, HotplugStepReturn

_PROBED = (
    *("alloc", "alloc_ret", "free", "free_ret", "upd", "upd_ret", "rel", "rel_ret"),
    *("dis", "dis_ret", "en", "en_ret", "ioremap", "iounmap", "lread", "sgei", "kick", "wakeon"),
    "fload",
)
PROBES = {MEANINGS[name]: name for name in _PROBED}
"""The name of each event's probe."""
NEEDED = frozenset(("alloc", "alloc_ret", "free"))
"""A trace without these cannot be followed; it need not have any of the others."""
ENDS_CALL = (kvm.Load, kvm.Put, HotplugStep, HotplugStepReturn)
"""Events that only show that a call of their thread is over."""
FOLLOWED = (*PROBES, kvm.Run, kvm.Inject, kvm.ImsicPut, *ENDS_CALL)


@dataclass
class BootedKernel:
    """The kernel that all hypotheses share, except for the cells of its memory.

    `vcpus` are those of the trace, by pointer; `runners` are their threads, by vCPU id, 0 if the
    thread is not in the trace; `threads` are by thread.  `irqs` handle IPIs and `sgeis` SGEIs, one
    for each HART.  `placeholders` are vCPUs that hold lines with an unknown owner, by HART and
    line; they are not in the trace.  `recorded` are the probes with any event in the trace.
    `pages` has, by CPU, the page of the first guest file; `start` are the cells after booting.
    """

    k: Module
    memory: Memory
    recorded: frozenset[str]
    vcpus: dict[str, Vcpu] = field(default_factory=dict)
    runners: dict[int, int] = field(default_factory=dict)
    threads: dict[int, Thread] = field(default_factory=dict)
    irqs: Sequence[HardIrq] = ()
    sgeis: Sequence[HardIrq] = ()
    placeholders: dict[tuple[int, int], Vcpu] = field(default_factory=dict)
    pages: dict[int, int] = field(default_factory=dict)
    start: list[int] = field(default_factory=list)

    def is_silent(self, probe: Probe, call: Call) -> bool:
        """Whether a probe has no event: the trace never has it, or it is not compared."""
        if probe.name == "kick" and call.function != "hgei_interrupt":
            return True
        return probe.name not in self.recorded


def recorded_in(events: Iterable[object]) -> frozenset[str]:
    """The probes with any event in a trace."""
    meanings = (type(event.meaning) for event in events if isinstance(event, Event))
    return NEEDED.union(PROBES[each] for each in meanings if each in PROBES)


def boot_for_trace(
    variant: str,
    topology: Topology,
    events: Sequence[Event],
    middle: bool = False,
    recorded: frozenset[str] | None = None,
) -> BootedKernel:
    """Boot a kernel, and make the vCPUs and threads that the events name.

    `recorded` are the probes of the whole trace, if the events are only a stretch of it.  A CPU has
    virtualization from the start unless its first hotplug event is `en`.  No vCPU has a VS-file;
    with `middle`, every line is held by a placeholder.  Raises `ValueError` for an unknown variant.
    """
    memory = Memory()
    k = probed(find_variant(variant))(topology, memory)
    k.enable_virt_at_load = False
    monitor = k.add_thread("swapper", 0)
    boot(k, monitor)
    booted = BootedKernel(k, memory, recorded_in(events) if recorded is None else recorded)
    cpus = range(len(topology.harts))
    booted.irqs = [k.hardirq(f"ipi/{cpu}", cpu, cpu) for cpu in cpus]
    booted.sgeis = [k.hardirq(f"sgei/{cpu}", len(cpus) + cpu, cpu) for cpu in cpus]
    _enable(k, monitor, events)
    _add_vcpus(booted, events)
    if middle:
        _add_placeholders(booted)
    booted.start = list(memory.cells)
    return booted


def _enable(k: Module, monitor: Thread, events: Iterable[Event]) -> None:
    """Turn virtualization on where the trace begins with it."""
    first: dict[int, type[kvm.Meaning]] = {}
    for event in events:
        if isinstance(event.meaning, kvm.Enable | kvm.Disable):
            first.setdefault(event.record.cpu, type(event.meaning))
    for cpu in range(len(k.hart)):
        if first.get(cpu) is not kvm.Enable:
            monitor.cpu = cpu
            run_alone(k.kvm_enable_virtualization_cpu(monitor), monitor)


def _add_vcpus(booted: BootedKernel, events: Iterable[Event]) -> None:
    """Make every thread, and every vCPU, named after the thread that runs it if that was seen."""
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
        if event.thread not in booted.threads:
            thread = booted.k.add_thread(f"{event.record.comm}-{event.record.pid}", 0)
            booted.threads[event.thread] = thread
    for pointer, name in comms.items():
        vcpu = booted.vcpus[pointer] = booted.k.add_vcpu(name, 0, booted.k.add_vm(name))
        booted.runners[vcpu.id] = runners.get(pointer, 0)


def _add_placeholders(booted: BootedKernel) -> None:
    """Let a placeholder hold each line."""
    k = booted.k
    for cpu, hgctrl in enumerate(k.hgei):
        for line in range(1, k.nr_hgei(hgctrl) + 1):
            name = f"the owner of HART {cpu} line {line} at the start"
            vcpu = booted.placeholders[cpu, line] = k.add_vcpu(name, cpu, k.add_vm(name))
            vcpu.vsfile_cpu, vcpu.vsfile_hgei = cpu, line
            hgctrl.owners[line] = vcpu.id
        hgctrl.free_bitmap = 0
