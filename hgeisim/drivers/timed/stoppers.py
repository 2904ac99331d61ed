"""stop_machine in time: one HART after the other comes to a stop (kernel/stop_machine.c).

The stopper of a HART, migration/N, has priority over every other task there, so it runs as soon as
the HART can be preempted: without kernel preemption that is when the running task schedules, which
a vCPU does after its guest had to exit.  From then on no other task runs there.  Interrupts are
handled until all stoppers have arrived, and are off on all HARTs before the work is done.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from hgeisim.drivers.timed.cpu import Core
from hgeisim.drivers.timed.environment import LaneGenerator
from hgeisim.drivers.timed.interrupts import DriverParts
from hgeisim.drivers.timed.scheduler import STOPPER, HartThread
from hgeisim.drivers.timed.wait_queues import Waits
from hgeisim.machine.ops import (
    LOCAL_IRQ_DISABLE,
    LOCAL_IRQ_ENABLE,
    PREEMPT_DISABLE,
    PREEMPT_ENABLE,
    Op,
    Path,
)
from hgeisim.machine.schedule import StopMachine
from hgeisim.machine.task import Runner

PREPARE, DISABLE_IRQ, RUN = range(3)
"""The states that all stoppers reach before any of them goes on (enum multi_stop_state)."""


class StoppingDriver(DriverParts, Protocol):
    """The parts of the timed driver that the stoppers use."""

    waits: Waits

    def wait(self, who: Any, op: Op) -> Generator[int | None, None, int]:
        """Wait until an operation is ready; returns how many ns that took."""

    def until_ready(self, who: Runner, op: Op, spins_on: Core | None) -> LaneGenerator:
        """The same, inside of another wait."""


class MultiStop:
    """struct multi_stop_data: the state that the stoppers of some HARTs are in, and how many of
    them have not acknowledged it yet."""

    def __init__(self, threads: int) -> None:
        self.threads = self.left = threads
        self.state = PREPARE

    def ack(self) -> None:
        """ack_state: one more has arrived; the last one lets all go on."""
        self.left -= 1
        if not self.left:
            self.left, self.state = self.threads, self.state + 1


@dataclass(frozen=True, slots=True)
class Ack(Op):
    """Acknowledge a state, and spin until all stoppers have."""

    waits: ClassVar[bool] = True
    stop: MultiStop
    state: int

    def begin(self, who: Runner) -> None:
        """Acknowledge it."""
        self.stop.ack()

    def ready(self, who: Runner) -> bool:
        """All have."""
        return self.stop.state > self.state

    def __str__(self) -> str:
        return "wait until all stoppers are here"


@dataclass(frozen=True, slots=True)
class LockStopCpus(StopMachine):
    """stop_cpus_mutex: sleep until nobody else stops the machine."""

    stop: Stoppers

    def ready(self, who: Runner) -> bool:
        """Nobody does."""
        return not self.stop.stopping


class Stoppers:
    """The stopper threads of a machine; `stopping` is true while it is being stopped."""

    def __init__(self, driver: StoppingDriver) -> None:
        self.driver, self.stopping, self.lock = driver, False, LockStopCpus(self)
        self.threads: dict[int, HartThread] = {}

    def stop(self, who: Runner, op: StopMachine) -> LaneGenerator:
        """Stop all online HARTs, which takes as long as it takes; then the caller goes on first.

        The caller is the stopper of its own HART as well, so it need not wait for that one.
        """
        if self.stopping:
            yield from self.driver.wait(who, self.lock)
        self.stopping = True
        below = self.driver.waits.begin(who, op, int(self.driver.env.now))
        yield from self._stop(who, self._wake_others(who.cpu))
        self.driver.waits.end(who, below)
        self.stopping = False
        self.driver.wait_queues.unpark(self)

    def _wake_others(self, cpu: int) -> MultiStop:
        """queue_stop_cpus_work: wake the stoppers of all other online HARTs."""
        online = (core.hart.id for core in self.driver.cores if core.hart.online)
        others = [other for other in online if other != cpu]
        stop = MultiStop(len(others) + 1)
        for other in others:
            if other not in self.threads:
                thread = self.driver.k.add_thread(f"migration/{other}", other)
                self.threads[other] = HartThread(self.driver, thread, STOPPER)
            self.threads[other].execute(lambda _: multi_cpu_stop(stop))
        return stop

    def _stop(self, who: Runner, stop: MultiStop) -> LaneGenerator:
        """Reach each state with the others; in the last one the work takes its time."""
        yield from self._reach(who, Ack(stop, PREPARE))
        who.hart.irq_off += 1
        yield from self._reach(who, Ack(stop, DISABLE_IRQ))
        yield self.driver.costs.by_name[StopMachine.cost]()
        yield from self._reach(who, Ack(stop, RUN))
        who.hart.irq_off -= 1

    def _reach(self, who: Runner, ack: Ack) -> LaneGenerator:
        ack.begin(who)
        yield from self.driver.until_ready(who, ack, self.driver.cores[who.cpu])
        self.driver.wait_queues.unpark(ack.stop)


def multi_cpu_stop(stop: MultiStop) -> Path[None]:
    """multi_cpu_stop, v6.12, on a HART that only waits for the others."""
    yield PREEMPT_DISABLE
    yield Ack(stop, PREPARE)
    yield LOCAL_IRQ_DISABLE
    yield Ack(stop, DISABLE_IRQ)
    yield Ack(stop, RUN)
    yield LOCAL_IRQ_ENABLE
    yield PREEMPT_ENABLE
