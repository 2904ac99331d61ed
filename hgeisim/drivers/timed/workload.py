"""What happens to the machine: VMs come and go, devices send MSIs, load moves, HARTs go offline.

Ordinary SimPy processes; each random time comes from a stream named after what it is for.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import simpy

from hgeisim.drivers.timed.costs import Distribution
from hgeisim.drivers.timed.driver import TimedDriver
from hgeisim.drivers.timed.environment import Lane
from hgeisim.kernel.state import Vcpu
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
        threads = []
        for index in range(vm.vcpus):
            threads.append(self._start_vcpu(vm, f"{vm.name}/{index}"))
            yield self.env.timeout(vm.stagger)
        if vm.destroyed is not None:
            yield self.env.timeout(max(0, vm.destroyed - self.env.now))
            for vcpu, thread in threads:
                self.env.process(self._destroy(vcpu, thread))

    def _start_vcpu(self, vm: Vm, name: str) -> tuple[Vcpu, Lane]:
        vcpu = self.k.add_vcpu(name, self._next_hart(), vm.mode)
        self.vcpus.append(vcpu)
        self.driver.costs.of_owner("guest_run", name, vm.run)
        thread = self.driver.spawn(vcpu.thread, self.k.vcpu_thread(vcpu.thread, vcpu))
        self.env.process(self.device(vcpu, vm.msi))
        return vcpu, thread

    def _next_hart(self) -> int:
        """Active HARTs in turn."""
        active = [hart.id for hart in self.k.hart if hart.active]
        self.placed += 1
        return active[(self.placed - 1) % len(active)]

    def device(self, vcpu: Vcpu, every: Distribution) -> Process:
        """A passed-through device that sends MSIs to a vCPU for as long as it lives."""
        draw = self.streams.stream(f"{vcpu.name}/msi").draw
        while True:
            yield self.env.timeout(draw(every))
            if vcpu.stop:
                return
            yield self.driver.device(self.k.imsic_page_write(vcpu))

    def _destroy(self, vcpu: Vcpu, thread: Lane) -> Process:
        """Stop a vCPU's thread, wait for its end, then give its memory back."""
        vcpu.stop = 1
        yield self.driver.device(self.k.kvm_vcpu_kick(vcpu))
        yield thread
        self.vcpus.remove(vcpu)
        destroyer = self.k.add_thread(f"destroy/{vcpu.name}", vcpu.thread.cpu)
        yield self.driver.spawn(destroyer, self.k.kvm_riscv_vcpu_aia_imsic_cleanup(vcpu))

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
