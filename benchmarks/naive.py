"""The same load as a newcomer to SimPy would write it: a Resource a lock, Process.interrupt."""

from __future__ import annotations

import random
from collections.abc import Generator
from typing import Any

import simpy

from benchmarks.load import LINES, Load

Process = Generator[simpy.Event, Any, None]


class NaiveVcpu:
    """A vCPU: where its line is, and whether its guest runs."""

    def __init__(self, cpu: int) -> None:
        self.cpu, self.line, self.running = cpu, 0, False
        self.process: simpy.Process | None = None


class Naive:
    """The load on plain SimPy, with nothing of hgeisim in it."""

    def __init__(self, harts: int, load: Load, seed: int = 1) -> None:
        self.env, self.random, self.load = simpy.Environment(), random.Random(seed), load
        self.locks = [simpy.Resource(self.env) for _ in range(harts)]
        self.free = [set(range(1, LINES + 1)) for _ in range(harts)]
        self.owners: list[dict[int, NaiveVcpu]] = [{} for _ in range(harts)]
        self.online = list(range(harts))
        self.ops = 0
        for i in range(harts * load.vcpus_per_hart):
            vcpu = NaiveVcpu(i % harts)
            vcpu.process = self.env.process(self.vcpu(vcpu))
        for cpu in range(harts):
            self.env.process(self.sgei(cpu))
        self.env.process(self.hotplug(harts))

    def run(self) -> int:
        """Simulate; returns the number of operations."""
        self.env.run(until=self.load.until_ns)
        return self.ops

    def exponential(self, mean_ns: int) -> int:
        """Draw a time."""
        return int(self.random.expovariate(1 / mean_ns)) + 1

    def vcpu(self, vcpu: NaiveVcpu) -> Process:
        """Run the guest, move, take a line there, give the old one back."""
        while True:
            vcpu.running = True
            yield from self.guest(self.exponential(self.load.run_ns))
            vcpu.running = False
            cpu = self.random.choice(self.online)
            line = 0
            with self.locks[cpu].request() as request:
                yield request
                yield self.env.timeout(self.load.hold_ns)
                if self.free[cpu]:
                    line = min(self.free[cpu])
                    self.free[cpu].discard(line)
                    self.owners[cpu][line] = vcpu
                self.ops += 1
            if vcpu.line:
                yield from self.give_back(vcpu)
            vcpu.cpu, vcpu.line = cpu, line

    def guest(self, left_ns: int) -> Process:
        """Run for a time, longer by what interrupts take."""
        while left_ns > 0:
            start_ns = self.env.now
            try:
                yield self.env.timeout(left_ns)
                left_ns = 0
            except simpy.Interrupt:
                left_ns += self.load.entry_ns - int(self.env.now - start_ns)

    def give_back(self, vcpu: NaiveVcpu) -> Process:
        """Free the old line, if it is still this vCPU's."""
        with self.locks[vcpu.cpu].request() as request:
            yield request
            yield self.env.timeout(self.load.hold_ns)
            if self.owners[vcpu.cpu].get(vcpu.line) is vcpu:
                del self.owners[vcpu.cpu][vcpu.line]
                self.free[vcpu.cpu].add(vcpu.line)
            self.ops += 1

    def sgei(self, cpu: int) -> Process:
        """Interrupts of a HART."""
        while True:
            yield self.env.timeout(self.exponential(self.load.sgei_ns))
            with self.locks[cpu].request() as request:
                yield request
                yield self.env.timeout(self.load.hold_ns)
                vcpu = self.owners[cpu].get(self.random.randrange(1, LINES + 1))
                self.ops += 1
            if vcpu is not None and vcpu.running and vcpu.cpu == cpu and vcpu.process is not None:
                vcpu.process.interrupt()

    def hotplug(self, harts: int) -> Process:
        """HARTs go offline one at a time."""
        while True:
            yield self.env.timeout(self.exponential(4 * self.load.hotplug_ns // harts))
            if len(self.online) < 2:
                continue
            cpu = self.random.choice(self.online)
            self.online.remove(cpu)
            yield from self.switch_off(cpu)
            yield self.env.timeout(self.load.offline_ns)
            self.ops += 1
            self.online.append(cpu)

    def switch_off(self, cpu: int) -> Process:
        """Release every line of a HART."""
        with self.locks[cpu].request() as request:
            yield request
            yield self.env.timeout(self.load.hold_ns * (1 + len(self.owners[cpu])))
            for line, vcpu in self.owners[cpu].items():
                vcpu.line = 0
                self.free[cpu].add(line)
            self.owners[cpu].clear()
            self.ops += 1
