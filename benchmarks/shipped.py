"""The load on the shipped kernel paths under the shipped timed driver, recording on."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, cast

import simpy

from benchmarks.load import LINES, Load
from hgeisim.drivers.boot_scenario import BootedScenario
from hgeisim.drivers.run_to_end import boot
from hgeisim.drivers.timed.costs import Costs
from hgeisim.drivers.timed.driver import TimedDriver
from hgeisim.drivers.timed.environment import LaneEnvironment, LaneGenerator, TimedClock
from hgeisim.drivers.timed.fused import fused
from hgeisim.drivers.timed.simulation import ALWAYS, Simulation
from hgeisim.kernel.structs import Vcpu
from hgeisim.kernel.variants import find_variant
from hgeisim.machine.ops import PREEMPT_DISABLE, PREEMPT_ENABLE, Path
from hgeisim.machine.topology import HartSpec, Topology
from hgeisim.machine.watch import functions_of, watched
from hgeisim.runs.timeline import ALLOC, FAIL, FREE, OFFLINE, ONLINE, SGEI
from hgeisim.scenario.streams import Streams
from hgeisim.scenario.timing import Constant, Exponential, Timing
from hgeisim.watch.asker import LineCount

Process = Generator[simpy.Event, Any, None]
EMPTY_NS = 20_000
"""So long after a HART was left alone nobody is about to take a line there any more."""
COUNTED = (ALLOC, FAIL, FREE, SGEI, OFFLINE, ONLINE)


class Loaded(find_variant("v6.12+percpu-v5")):  # type: ignore[misc]
    """The landed series, with what a vCPU of the load does as one path more."""

    def change_lines(k, vcpu: Vcpu, cpu: int) -> Path[None]:
        """Take a line on a HART, and give the old one back."""
        old_cpu, old_hgei = vcpu.vsfile_cpu, vcpu.vsfile_hgei
        hgei = yield from k.kvm_riscv_aia_alloc_hgei(cpu, vcpu)
        vcpu.vsfile_cpu, vcpu.vsfile_hgei = (cpu, hgei) if hgei > 0 else (-1, -1)
        if old_cpu >= 0:
            yield from k.kvm_riscv_aia_free_hgei(old_cpu, old_hgei)


class WholeUpdate(Loaded):
    """The same with the whole of imsic_update: what the run loop does before each guest entry."""

    def change_lines(k, vcpu: Vcpu, cpu: int) -> Path[None]:
        """Sweeps, mapping, fences, IPIs, merging."""
        yield PREEMPT_DISABLE
        yield from k.kvm_riscv_vcpu_aia_imsic_update(vcpu.thread, vcpu)
        yield PREEMPT_ENABLE


class Shipped:
    """alloc_hgei and free_hgei called directly, SGEIs raised by devices, real hotplug paths."""

    kernel = Loaded

    def __init__(self, harts: int, load: Load, seed: int = 1) -> None:
        self.load, self.streams = load, Streams(seed)
        self.simulation = _simulation(self.kernel, harts, load, self.streams)
        self.driver, self.env = self.simulation.driver, self.simulation.env
        self.k = cast("Loaded", self.simulation.boot.k)
        self.online, self.active = list(range(harts)), [True] * harts
        self.place = self.streams.stream("place")
        self.owed_ns = [0] * (self.vcpus(harts) + 1)
        for i in range(self.vcpus(harts)):
            if i % load.vcpus_per_hart == 0:
                vm = self.k.add_vm(f"vm{i}")
            vcpu = self.k.add_vcpu(f"v{i}", i % harts, vm)
            self.env.lane(self.vcpu(vcpu))
        for cpu in range(harts):
            self.env.lane(self.sgei(cpu))
        self.env.process(self.hotplug(harts))

    def run(self) -> int:
        """Simulate; returns the number of operations."""
        self.simulation.run(self.load.until_ns)
        kinds = self.simulation.timeline.event_kind
        return sum(kind in COUNTED for kind in kinds)

    def vcpu(self, vcpu: Vcpu) -> LaneGenerator:
        """Move, run the guest, change lines.  Nothing else waits for a HART on which a guest runs,
        and an SGEI for this vCPU alone takes time from it."""
        thread, owed_ns = vcpu.thread, self.owed_ns
        draw = self.streams.stream(vcpu.name).drawer(_exponential(self.load.run_ns))
        while True:
            thread.cpu = cpu = self.next_hart(thread.cpu)
            owed_ns[vcpu.id] = 0
            yield draw()
            while owed_ns[vcpu.id]:
                more_ns, owed_ns[vcpu.id] = owed_ns[vcpu.id], 0
                yield more_ns
            if self.active[cpu]:
                yield from self.driver.execute(thread, self.k.change_lines(vcpu, cpu))

    def vcpus(self, harts: int) -> int:
        """How many there are."""
        return harts * self.load.vcpus_per_hart

    def next_hart(self, cpu: int) -> int:
        """Any HART that is online."""
        return self.place.choice(self.online)

    def sgei(self, cpu: int) -> LaneGenerator:
        """A device that makes some line of a HART pending and armed."""
        draw = self.streams.stream(f"sgei{cpu}").drawer(_exponential(self.load.sgei_ns))
        below, entry_ns = self.streams.stream(f"s{cpu}").below, self.load.entry_ns
        hart, core, owners = self.k.hart[cpu], self.driver.cores[cpu], self.k.hgei[cpu].owners
        while True:
            yield draw()
            line = 1 + below(LINES)
            hart.hgeip = hart.hgeie = 1 << line
            self.driver.interrupts.poll(core)
            self.owed_ns[owners[line]] += entry_ns

    def hotplug(self, harts: int) -> Process:
        """HARTs go offline one at a time."""
        draw = self.streams.stream("hotplug").draw
        while True:
            yield self.env.timeout(draw(_exponential(4 * self.load.hotplug_ns // harts)))
            if len(self.online) < 2:
                continue
            cpu = self.place.choice(self.online)
            self.online.remove(cpu)
            self.active[cpu] = False
            yield self.env.timeout(EMPTY_NS)
            cpuhp = self.k.add_thread("cpuhp", cpu)
            yield self.env.lane(self.driver.execute(cpuhp, self.k.kvm_offline_cpu(cpuhp)))
            yield self.env.timeout(self.load.offline_ns)
            yield self.env.lane(self.driver.execute(cpuhp, self.k.kvm_online_cpu(cpuhp)))
            self.online.append(cpu)
            self.active[cpu] = True


class Updating(Shipped):
    """The same with the whole of imsic_update.

    VGEIN is a register of the HART, so there is one vCPU on a HART at a time: half as many vCPUs as
    HARTs, each moves to one that is free.
    """

    kernel = WholeUpdate

    def vcpus(self, harts: int) -> int:
        """One for each two HARTs."""
        self.free = [cpu for cpu in range(harts) if cpu >= harts // 2]
        return harts // 2

    def next_hart(self, cpu: int) -> int:
        """A free one, if the one that is drawn is online; the old one is free then."""
        place = self.place.below(len(self.free))
        if self.free[place] not in self.online:
            return cpu
        self.free[place], cpu = cpu, self.free[place]
        return cpu


def _simulation(kernel: type[Loaded], harts: int, load: Load, streams: Streams) -> Simulation:
    """A kernel on a homogeneous machine; a lock is held for the hold time."""
    topology = Topology((HartSpec(LINES),) * harts, 4, "benchmark")
    env = LaneEnvironment()
    k = watched(fused(kernel), functions_of(*ALWAYS))(topology, clock=TimedClock(env))
    boot(k, k.add_thread("swapper", 0))
    hold = Constant.model_construct(value=load.hold_ns)
    nothing = Constant.model_construct(value=0)
    timing = Timing.model_construct(
        raw_spin_lock=nothing,
        raw_spin_unlock=hold,
        interrupt_entry=nothing,
        wake_up=nothing,
    )
    return Simulation(BootedScenario(k), TimedDriver(env, k, Costs(timing, streams)), LineCount(k))


def _exponential(mean_ns: int) -> Exponential:
    return Exponential.model_construct(mean=mean_ns)
