"""What happens to the machine: VMs come and go, devices send MSIs, load moves, HARTs go offline.

Ordinary SimPy processes; each random time comes from a stream named after what it is for.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import simpy

from hgeisim.drivers.timed.costs import Distribution
from hgeisim.drivers.timed.driver import TimedDriver
from hgeisim.drivers.timed.environment import Lane
from hgeisim.kernel.script import IID
from hgeisim.kernel.structs import Thread, Vcpu
from hgeisim.kernel.structs import Vm as KernelVm
from hgeisim.machine.ops import Path
from hgeisim.machine.task import Runner
from hgeisim.scenario.schema import Balance, Hotplug, Scenario, Vm
from hgeisim.scenario.streams import Streams

Process = Generator[simpy.Event, Any, None]


class Workload:
    """Starts everything that a scenario's [[vm]], [balance] and [[hotplug]] tables say."""

    def __init__(self, driver: TimedDriver, streams: Streams) -> None:
        self.driver, self.k, self.env, self.streams = driver, driver.k, driver.env, streams
        self.vcpus: list[Vcpu] = []
        self.placed = 0

    def start(self, scenario: Scenario) -> None:
        """Set all processes going."""
        for vm in scenario.vm:
            self.env.process(self.vm(vm))
        for plan in scenario.hotplug:
            self.env.process(self.hotplug(plan))
        if scenario.balance is not None:
            self.env.process(self.balance(scenario.balance))

    def vm(self, vm: Vm) -> Process:
        """A VM arrives, its vCPUs start one after the other, in the end it is destroyed."""
        yield self.env.timeout(vm.arrives)
        monitor = self.k.add_thread(f"monitor/{vm.name}", self._next_hart())
        made = self.k.add_vm(vm.name, vm.mode)
        yield self.driver.spawn(monitor, self.k.kvm_create_vm(monitor, made))
        lanes = []
        for index in range(vm.vcpus):
            lanes.append(self._start_vcpu(vm, made, f"{vm.name}/{index}"))
            yield self.env.timeout(vm.stagger)
        if vm.destroyed is not None:
            yield self.env.timeout(max(0, vm.destroyed - self.env.now))
            yield from self._destroy(made, monitor, lanes)

    def _start_vcpu(self, vm: Vm, made: KernelVm, name: str) -> Lane:
        vcpu = self.k.add_vcpu(name, self._next_hart(), made)
        self.vcpus.append(vcpu)
        self.driver.costs.of_owner("guest_run", name, vm.run)
        lane = self.driver.spawn(vcpu.thread, self.k.vcpu_thread(vcpu.thread, vcpu))
        self.env.process(self.device(vcpu, vm.msi))
        return lane

    def _next_hart(self) -> int:
        """Active HARTs in turn."""
        active = [hart.id for hart in self.k.hart if hart.active]
        self.placed += 1
        return active[(self.placed - 1) % len(active)]

    def device(self, vcpu: Vcpu, every: Distribution) -> Process:
        """A device of the host whose interrupts become MSIs of a vCPU, for as long as it lives.

        Each device interrupts one HART, or the next active one (irqfd; there is no irqbypass).
        """
        draw = self.streams.stream(f"{vcpu.name}/msi").draw
        home = vcpu.thread.cpu
        while True:
            yield self.env.timeout(draw(every))
            if vcpu.stop:
                return
            self.driver.interrupt(self._active_from(home), self._injection(vcpu))

    def _injection(self, vcpu: Vcpu) -> Callable[[Runner], Path[None]]:
        return lambda current: self.k.kvm_riscv_vcpu_aia_imsic_inject(current, vcpu, IID)

    def _active_from(self, cpu: int) -> int:
        """A HART, or the next one that is active."""
        count = len(self.k.hart)
        return next(c % count for c in range(cpu, cpu + count) if self.k.hart[c % count].active)

    def _destroy(self, made: KernelVm, monitor: Thread, lanes: list[Lane]) -> Process:
        """Stop the threads of all vCPUs, wait for their end, then give the memory back."""
        for vcpu in made.vcpus:
            vcpu.stop = 1
            self.vcpus.remove(vcpu)
        yield self.driver.spawn(monitor, self._kick_all(monitor, made))
        yield simpy.AllOf(self.env, lanes)
        yield self.driver.spawn(monitor, self.k.kvm_destroy_vm(monitor, made))

    def _kick_all(self, monitor: Thread, made: KernelVm) -> Path[None]:
        """A signal to the thread of each vCPU."""
        for vcpu in made.vcpus:
            yield from self.k.kvm_vcpu_kick(monitor, vcpu)

    def balance(self, plan: Balance) -> Process:
        """The load balancer: now and then some vCPU is to go on on some active HART."""
        stream = self.streams.stream("balance")
        while True:
            yield self.env.timeout(stream.draw(plan.every))
            active = [hart.id for hart in self.k.hart if hart.active]
            if self.vcpus:
                self.driver.scheduler.move(stream.choice(self.vcpus).thread, stream.choice(active))

    def hotplug(self, plan: Hotplug) -> Process:
        """A HART goes offline at a set time and comes back at another, or as soon as it can."""
        cpuhp = self.k.add_thread(f"cpuhp/{plan.hart}", plan.hart)
        yield self.env.timeout(plan.offline)
        yield self.driver.spawn(cpuhp, self.k.cpu_down(cpuhp, plan.hart), urgent=True)
        if plan.online is not None:
            yield self.env.timeout(max(0, plan.online - self.env.now))
            yield self.driver.spawn(cpuhp, self.k.cpu_up(cpuhp, plan.hart), urgent=True)
