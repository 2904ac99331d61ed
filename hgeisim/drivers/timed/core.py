"""A HART in time: which task has it, who queues for it, and what its interrupts take away."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import simpy

from hgeisim.machine.hart import Hart
from hgeisim.machine.ops import Ipi
from hgeisim.machine.task import Runner


class Core:
    """One HART's run queue and interrupt bookkeeping.

    `running` is the task that has the HART, `queue` those that wait, first come first served, each
    with the event that tells it that it is its turn.  `handler` is the event of the end of the
    hardirq that runs now; `stolen_ns` adds up what all of them took.
    """

    def __init__(self, env: simpy.Environment, hart: Hart) -> None:
        self.env, self.hart = env, hart
        self.running: Runner | None = None
        self.queue: deque[tuple[Runner, simpy.Event]] = deque()
        self.ipis: deque[tuple[Runner, Ipi]] = deque()
        self.handler: simpy.Event | None = None
        self.stolen_ns = 0

    def enter(self, who: Runner, urgent: bool = False) -> simpy.Event:
        """Queue for the HART; the event is triggered when `who` has it."""
        turn = self.env.event()
        if urgent:
            self.queue.appendleft((who, turn))
        else:
            self.queue.append((who, turn))
        self.pick()
        return turn

    def leave(self, who: Runner) -> None:
        """Give the HART up, if `who` has it, to the next in the queue."""
        if self.running is who:
            self.running = None
            self.pick()

    def pick(self) -> None:
        """Let the next task in when the HART is free."""
        if self.running is None and self.queue:
            self.running, turn = self.queue.popleft()
            turn.succeed()

    def push_off(self) -> Iterator[tuple[Runner, simpy.Event]]:
        """Take every waiting task out of the queue."""
        while self.queue:
            yield self.queue.popleft()

    @property
    def load(self) -> int:
        """Tasks that run or wait here."""
        return len(self.queue) + (self.running is not None)
