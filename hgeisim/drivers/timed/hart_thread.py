"""A kernel thread that is bound to its HART, such as irq/N or migration/N."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

from hgeisim.drivers.timed.environment import Lane
from hgeisim.drivers.timed.scheduler import BOUND
from hgeisim.machine.ops import Path
from hgeisim.machine.schedule import Task

Work: TypeAlias = Callable[[Task], Path[None]]


class SpawningDriver(Protocol):
    """What such a thread needs of its driver."""

    def spawn(self, who: Task, path: Path[Any], urgent: int = 0) -> Lane:
        """Start a thread."""


class HartThread:
    """A thread that executes what it is given, one after the other, and sleeps in between: the
    interrupts of devices on PREEMPT_RT, or what stop_machine has to do on its HART."""

    def __init__(self, driver: SpawningDriver, thread: Task, urgent: int = BOUND) -> None:
        self.driver, self.thread, self.urgent = driver, thread, urgent
        self.works: deque[Work] = deque()
        self.awake = False

    def execute(self, work: Work) -> None:
        """Wake the thread up, if it sleeps, to do one more thing."""
        self.works.append(work)
        if not self.awake:
            self.awake = True
            self.driver.spawn(self.thread, self._path(), self.urgent)

    def _path(self) -> Path[None]:
        while self.works:
            yield from self.works.popleft()(self.thread)
        self.awake = False
