"""stop_machine in time: one HART after the other comes to a stop (kernel/stop_machine.c).

The stopper of a HART, migration/N, is ahead of every other task there, so it comes as soon as the
HART can be preempted: without kernel preemption when the task that runs there schedules, which a
vCPU does after its guest had to exit.  Then no task runs there any more.  Interrupts are handled
until all stoppers have come, and are off on all HARTs before anything is done.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from hgeisim.drivers.timed.costs import Costs
from hgeisim.drivers.timed.cpu import Core
from hgeisim.drivers.timed.environment import Lane, LaneEnvironment, LaneGenerator
from hgeisim.drivers.timed.scheduler import STOPPER, HartThread
from hgeisim.drivers.timed.wait_queues import WaitQueues, Waits
from hgeisim.kernel.main import Module
from hgeisim.machine.ops import (
    LOCAL_IRQ_DISABLE,
    LOCAL_IRQ_ENABLE,
    PREEMPT_DISABLE,
    PREEMPT_ENABLE,
    Op,
    Path,
)
from hgeisim.machine.schedule import StopMachine, Task
from hgeisim.machine.task import Runner

PREPARE, DISABLE_IRQ, RUN = range(3)
"""What all stoppers have come to before any goes on (enum multi_stop_state)."""


class StoppingDriver(Protocol):
    """What the stoppers need of the driver whose HARTs they stop."""

    env: LaneEnvironment
    k: Module
    costs: Costs
    cores: list[Core]
    parking: WaitQueues
    waits: Waits

    def spawn(self, who: Task, path: Path[Any], urgent: int = 0) -> Lane:
        """Start a thread."""

    def wait(self, who: Any, op: Op) -> Generator[int | None, None, int]:
        """Wait until an operation is ready; returns how many ns that took."""

    def until_ready(self, who: Runner, op: Op, spins_on: Core | None) -> LaneGenerator:
        """The same, in the middle of another wait."""


class MultiStop:
    """struct multi_stop_data: how far the stoppers of some HARTs have come, and how many of them
    have not come as far yet."""

    def __init__(self, threads: int) -> None:
        self.threads = self.left = threads
        self.state = PREPARE

    def ack(self) -> None:
        """ack_state: one more has come; the last one lets all go on."""
        self.left -= 1
        if not self.left:
            self.left, self.state = self.threads, self.state + 1


@dataclass(frozen=True, slots=True)
class Ack(Op):
    """Come to a state, and spin until all stoppers have."""

    waits: ClassVar[bool] = True
    stop: MultiStop
    state: int

    def begin(self, who: Runner) -> None:
        """Be there."""
        self.stop.ack()

    def ready(self, who: Runner) -> bool:
        """All are."""
        return self.stop.state > self.state

    def __str__(self) -> str:
        return "wait until all stoppers are here"


@dataclass(frozen=True, slots=True)
class Turn(StopMachine):
    """stop_cpus_mutex: sleep until the machine is stopped for nobody else."""

    stop: Stoppers

    def ready(self, who: Runner) -> bool:
        """It is not."""
        return not self.stop.going


class Stoppers:
    """The stopper threads of a machine; `going` is true while it is being stopped."""

    def __init__(self, driver: StoppingDriver) -> None:
        self.driver, self.going, self.turn = driver, False, Turn(self)
        self.threads: dict[int, HartThread] = {}

    def stop(self, who: Runner, op: StopMachine) -> LaneGenerator:
        """Stop all online HARTs, for as long as that takes; whoever asked for it goes on first.

        It stands for the stopper of its own HART as well, for which it need not wait.
        """
        if self.going:
            yield from self.driver.wait(who, self.turn)
        self.going = True
        below = self.driver.waits.begin(who, op, int(self.driver.env.now))
        yield from self._stop(who, self._wake_others(who.cpu))
        self.driver.waits.end(who, below)
        self.going = False
        self.driver.parking.unpark(self)

    def _wake_others(self, cpu: int) -> MultiStop:
        """queue_stop_cpus_work: the stoppers of all other online HARTs are to come."""
        others = [core.hart.id for core in self.driver.cores if core.hart.online]
        others = [other for other in others if other != cpu]
        stop = MultiStop(len(others) + 1)
        for other in others:
            self._thread(other).execute(lambda _: multi_cpu_stop(stop))
        return stop

    def _thread(self, cpu: int) -> HartThread:
        if cpu not in self.threads:
            thread = self.driver.k.add_thread(f"migration/{cpu}", cpu)
            self.threads[cpu] = HartThread(self.driver, thread, STOPPER)
        return self.threads[cpu]

    def _stop(self, who: Runner, stop: MultiStop) -> LaneGenerator:
        """Come to each state with the others; what is to be done takes its time in the last."""
        yield from self._come(who, Ack(stop, PREPARE))
        who.hart.irq_off += 1
        yield from self._come(who, Ack(stop, DISABLE_IRQ))
        yield self.driver.costs.by_name[StopMachine.cost]()
        yield from self._come(who, Ack(stop, RUN))
        who.hart.irq_off -= 1

    def _come(self, who: Runner, ack: Ack) -> LaneGenerator:
        ack.begin(who)
        yield from self.driver.until_ready(who, ack, self.driver.cores[who.cpu])
        self.driver.parking.unpark(ack.stop)


def multi_cpu_stop(stop: MultiStop) -> Path[None]:
    """multi_cpu_stop, v6.12, on a HART that only stands still."""
    yield PREEMPT_DISABLE
    yield Ack(stop, PREPARE)
    yield LOCAL_IRQ_DISABLE
    yield Ack(stop, DISABLE_IRQ)
    yield Ack(stop, RUN)
    yield LOCAL_IRQ_ENABLE
    yield PREEMPT_ENABLE
