"""A HART in time: which task has it, who queues for it, and what its interrupts take away."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from hgeisim.drivers.timed.environment import Lane
from hgeisim.machine.hart import Hart
from hgeisim.machine.ops import Ipi
from hgeisim.machine.task import Runner

Waiting = tuple[Runner, Lane]


class Core:
    """One HART's run queue and interrupt bookkeeping.

    `running` is the task that has the HART, `queue` those that wait, first come first served.
    `busy` is true while a hardirq runs, `held_up` are the lanes that wait for its end; `stolen_ns`
    adds up what all hardirqs took.
    """

    def __init__(self, hart: Hart) -> None:
        self.hart = hart
        self.running: Runner | None = None
        self.queue: deque[Waiting] = deque()
        self.ipis: deque[tuple[Runner, Ipi]] = deque()
        self.busy = False
        self.held_up: list[Lane] = []
        self.stolen_ns = 0

    def enter(self, who: Runner, lane: Lane, urgent: bool = False) -> None:
        """Queue for the HART, at the head if urgent; the lane is woken when it has it."""
        if urgent:
            self.queue.appendleft((who, lane))
        else:
            self.queue.append((who, lane))
        self.pick()

    def leave(self, who: Runner) -> None:
        """Give the HART up, if `who` has it, to the next in the queue."""
        if self.running is who:
            self.running = None
            self.pick()

    def pick(self) -> None:
        """Let the next task in when the HART is free and in no hardirq."""
        if self.running is None and not self.busy and self.queue:
            self.running, lane = self.queue.popleft()
            lane.wake()

    def push_off(self) -> Iterator[Waiting]:
        """Take every waiting task out of the queue."""
        while self.queue:
            yield self.queue.popleft()

    def end_hardirq(self) -> None:
        """Let those go on that a hardirq held up."""
        self.busy = False
        for lane in self.held_up:
            lane.wake()
        self.held_up.clear()

    @property
    def load(self) -> int:
        """Tasks that run or wait here."""
        return len(self.queue) + (self.running is not None)
