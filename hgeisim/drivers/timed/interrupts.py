"""Interrupts in time: how devices, IPIs and SGEIs reach a HART, and the handlers that run there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from hgeisim.drivers.timed.costs import Costs
from hgeisim.drivers.timed.cpu import Arrived, Core
from hgeisim.drivers.timed.environment import Lane, LaneEnvironment, LaneGenerator
from hgeisim.drivers.timed.scheduler import HartThread, Scheduler, SpawningDriver
from hgeisim.drivers.timed.wait_queues import WaitQueues
from hgeisim.kernel.main import Module
from hgeisim.machine.hart import find_first_bit
from hgeisim.machine.ipi import Ipi
from hgeisim.machine.ops import STEP, Path
from hgeisim.machine.task import Runner

Handler = Callable[[Runner], Path[None]]


class DriverParts(SpawningDriver, Protocol):
    """The parts of the timed driver that interrupts use, and that stoppers and completions
    share."""

    env: LaneEnvironment
    k: Module
    costs: Costs
    cores: list[Core]
    wait_queues: WaitQueues
    scheduler: Scheduler

    def execute(self, who: Runner, path: Path[Any]) -> LaneGenerator:
        """Complete the operations of a handler's path."""


class Interrupts:
    """The interrupts of all HARTs: from devices, SGEIs and IPIs."""

    def __init__(self, driver: DriverParts) -> None:
        self.driver, self.env, self.k = driver, driver.env, driver.k
        self.cores, self.costs = driver.cores, driver.costs
        harts = range(len(self.cores))
        self.runner = [self.k.hardirq(f"hardirq/{cpu}", cpu, cpu) for cpu in harts]
        self.threads: dict[int, HartThread] = {}
        self._lanes: dict[int, Lane] = {}

    def device(self, cpu: int, handler: Handler) -> None:
        """A device interrupts a HART; on PREEMPT_RT a thread handles that, which may sleep for
        locks."""
        path = self._wake_thread(cpu, handler) if self.k.realtime else handler(self.runner[cpu])
        self._deliver(self.cores[cpu], Arrived(path))

    def _wake_thread(self, cpu: int, handler: Handler) -> Path[None]:
        yield STEP
        if cpu not in self.threads:
            self.threads[cpu] = HartThread(self.driver, self.k.add_thread(f"irq/{cpu}", cpu))
        self.threads[cpu].execute(handler)

    def reschedule(self, core: Core) -> None:
        """Interrupt a HART so that it looks at need_resched; a guest exits."""
        self._deliver(core, Arrived(self.k.scheduler_ipi(self.runner[core.hart.id])))

    def send_reschedule(self, cpu: int) -> LaneGenerator:
        """Send a reschedule IPI, which takes its time; several on their way arrive as one."""
        yield self.costs.by_name["ipi"]()
        core = self.cores[cpu]
        if core.hart.resched_ipi:
            core.hart.resched_ipi = 0
            self.reschedule(core)

    def send(self, sender: Runner, op: Ipi) -> None:
        """Send an IPI to all HARTs that it is for, at the same time."""
        targets = sender.ipi_wait
        while targets:
            self.env.lane(self._send_to(self.cores[find_first_bit(targets)], sender, op))
            targets &= targets - 1

    def _send_to(self, core: Core, sender: Runner, op: Ipi) -> LaneGenerator:
        """Send an IPI to one HART; to the sender's own it takes no time."""
        if core.hart.id != sender.cpu:
            yield self.costs.by_name[op.cost]()
        self._deliver(core, Arrived(op.handler(self.runner[core.hart.id], sender), sender))

    def _deliver(self, core: Core, arrived: Arrived) -> None:
        core.arrived.append(arrived)
        self.poll(core)

    def poll(self, core: Core) -> None:
        """Take an interrupt if one is pending and the HART can be interrupted."""
        hart = core.hart
        if not (core.arrived or hart.hgeip & hart.hgeie) or not hart.interruptible():
            return
        if core.arrived:
            self._take(core, core.arrived.popleft())
        elif hart.sgei_pending():
            hart.note_sgei()
            self._take(core, Arrived(self.k.hgei_interrupt(self.runner[hart.id])))

    def _take(self, core: Core, arrived: Arrived) -> None:
        core.hold_up(int(self.env.now))
        core.taken = arrived
        after = self.costs.by_name["interrupt_entry"]()
        if core.hart.id in self._lanes:
            self._lanes[core.hart.id].wake(after)
        else:
            self._lanes[core.hart.id] = self.env.lane(self._hardirqs(core), after)

    def _hardirqs(self, core: Core) -> LaneGenerator:
        """Run one handler after the other on top of whatever the HART has been doing.

        One lane serves a HART for the whole run; it parks until `_take` wakes it.
        """
        runner = self.runner[core.hart.id]
        while core.taken is not None:
            path, sender = core.taken.path, core.taken.sender
            yield from self.driver.execute(runner, path)
            core.let_go(int(self.env.now))
            if sender is not None:
                sender.ipi_wait &= ~(1 << core.hart.id)
            self.driver.wait_queues.unpark(sender)
            self.poll(core)  # the next interrupt, if there is one, comes before any task
            self.driver.scheduler.pick(core)
            yield None
