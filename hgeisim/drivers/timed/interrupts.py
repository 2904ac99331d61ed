"""Interrupts in time: how they reach a HART, and what they take from it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from hgeisim.drivers.timed.costs import Costs
from hgeisim.drivers.timed.cpu import Arrived, Core
from hgeisim.drivers.timed.environment import Lane, LaneEnvironment, LaneGenerator
from hgeisim.drivers.timed.scheduler import HartThread, Scheduler
from hgeisim.drivers.timed.wait_queues import WaitQueues
from hgeisim.kernel.main import Module
from hgeisim.machine.hart import ffs
from hgeisim.machine.ipi import Ipi
from hgeisim.machine.ops import STEP, Path
from hgeisim.machine.schedule import Task
from hgeisim.machine.task import Runner

Handler = Callable[[Runner], Path[None]]


class InterruptedDriver(Protocol):
    """What interrupts need of the driver whose HARTs they reach."""

    env: LaneEnvironment
    k: Module
    costs: Costs
    cores: list[Core]
    parking: WaitQueues
    scheduler: Scheduler

    def execute(self, who: Runner, path: Path[Any]) -> LaneGenerator:
        """Complete the operations of a handler's path."""

    def spawn(self, who: Task, path: Path[Any], urgent: int = 0) -> Lane:
        """Start a thread."""


class Interrupts:
    """What reaches the HARTs of a driver: devices, SGEIs and IPIs."""

    def __init__(self, driver: InterruptedDriver) -> None:
        self.driver, self.env, self.k = driver, driver.env, driver.k
        self.cores, self.costs = driver.cores, driver.costs
        self.runner = [self.k.hardirq(f"hardirq/{core.hart.id}", n, n) for n, core in self._all()]
        self.threads: dict[int, HartThread] = {}
        self._lanes: dict[int, Lane] = {}

    def _all(self) -> enumerate[Core]:
        return enumerate(self.cores)

    def device(self, cpu: int, handler: Handler) -> None:
        """A device's interrupt arrives at a HART; on PREEMPT_RT a thread handles it, which may
        sleep for locks."""
        path = self._wake_thread(cpu, handler) if self.k.realtime else handler(self.runner[cpu])
        self._arrives(self.cores[cpu], Arrived(path))

    def _wake_thread(self, cpu: int, handler: Handler) -> Path[None]:
        yield STEP
        if cpu not in self.threads:
            self.threads[cpu] = HartThread(self.driver, self.k.add_thread(f"irq/{cpu}", cpu))
        self.threads[cpu].execute(handler)

    def reschedule(self, core: Core) -> None:
        """The HART is interrupted for the scheduler's sake; a guest exits."""
        self._arrives(core, Arrived(self.k.scheduler_ipi(self.runner[core.hart.id])))

    def send_reschedule(self, cpu: int) -> LaneGenerator:
        """A reschedule IPI on its way; of several, one arrives."""
        yield self.costs.by_name["ipi"]()
        core = self.cores[cpu]
        if core.hart.resched_ipi:
            core.hart.resched_ipi = 0
            self.reschedule(core)

    def send(self, sender: Runner, op: Ipi) -> None:
        """IPIs go their way, all at once."""
        targets = sender.ipi_wait
        while targets:
            self.env.lane(self._arrive(self.cores[ffs(targets)], sender, op))
            targets &= targets - 1

    def _arrive(self, core: Core, sender: Runner, op: Ipi) -> LaneGenerator:
        """One IPI on its way; to the sender's own HART it takes no time."""
        if core.hart.id != sender.cpu:
            yield self.costs.by_name[op.cost]()
        self._arrives(core, Arrived(op.handler(self.runner[core.hart.id], sender), sender))

    def _arrives(self, core: Core, arrived: Arrived) -> None:
        core.arrived.append(arrived)
        self.poll(core)

    def poll(self, core: Core) -> None:
        """Take an interrupt if there is one and the HART takes it."""
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
        """Run one handler after the other on top of whatever the HART has been doing."""
        runner = self.runner[core.hart.id]
        while core.taken is not None:
            path, sender = core.taken.path, core.taken.sender
            yield from self.driver.execute(runner, path)
            core.let_go(int(self.env.now))
            if sender is not None:
                sender.ipi_wait &= ~(1 << core.hart.id)
            self.driver.parking.unpark(sender)
            self._go_on(core)
            yield None

    def _go_on(self, core: Core) -> None:
        self.poll(core)
        self.driver.scheduler.pick(core)
