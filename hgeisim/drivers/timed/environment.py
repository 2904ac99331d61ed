"""A SimPy environment with a fast lane for contexts of execution.

Nearly every event of a run is a context that sleeps for some ns and then continues.  For that, a
stock SimPy process needs a Timeout, a list of callbacks and a call of `Process._resume`.  A `Lane`
yields the number of ns instead, and is itself the entry in the queue.  It is queued in SimPy's own
queue at SimPy's own priorities, so events keep the order that stock processes would give them; and
it is an event, so any process can wait for its end.
"""

from __future__ import annotations

from collections.abc import Generator
from heapq import heappop, heappush, heapreplace
from typing import Any, TypeAlias

import simpy
from simpy.events import NORMAL, URGENT, EventPriority

from hgeisim.machine.topology import Clock

LaneGenerator: TypeAlias = Generator[int | None, None, None]
"""Yields ns to sleep, or None to park until `Lane.wake` is called."""


class Lane(simpy.Event):
    """A process on the fast lane; as an event, it happens when its generator ends.

    It starts now, or `after` some ns.  `who` is the context that it currently executes, if any.
    """

    who: Any = None

    def __init__(self, env: LaneEnvironment, generator: LaneGenerator, after: int = 0) -> None:
        self.env, self.callbacks, self._defused = env, [], False
        self.lanes, self.send = env, generator.send
        if after:
            heappush(env._queue, (env._now + after, NORMAL, next(env._eid), self))
        else:
            env.schedule(self, URGENT)

    def wake(self, after: int = 0) -> None:
        """Resume a parked lane now or after some ns, behind whatever is already queued for then."""
        env = self.lanes
        heappush(env._queue, (env._now + after, NORMAL, next(env._eid), self))

    def end(self) -> None:
        """Become an ordinary event, which happens now."""
        self.__class__ = EndedLane
        self.succeed()


class EndedLane(Lane):
    """A lane whose generator has ended."""


class _NoLane(Lane):
    """The active lane while none is running."""

    def __init__(self, env: LaneEnvironment) -> None:
        simpy.Event.__init__(self, env)


class TimedClock(Clock):
    """The clock of a kernel whose time is that of a SimPy environment."""

    def __init__(self, env: simpy.Environment) -> None:
        self.env = env

    def now_ns(self) -> int:
        """The time in ns."""
        return int(self.env._now)


class LaneEnvironment(simpy.Environment):
    """A `simpy.Environment` in every respect, which resumes lanes itself.

    A running lane's entry stays at the head of the queue until the lane's next entry replaces it;
    urgent events that are scheduled meanwhile are held back in `_urgent`.  `active_lane` is the
    running lane; while an ordinary event is processed it is a placeholder whose `who` is None.
    """

    active_lane: Lane

    _running = _resuming = False

    def __init__(self, initial_time: float = 0) -> None:
        super().__init__(initial_time)
        self._urgent: list[Any] = []
        self.active_lane = self._no_lane = _NoLane(self)

    def lane(self, generator: LaneGenerator, after: int = 0) -> Lane:
        """Start a process on the fast lane, now or after some ns."""
        return Lane(self, generator, after)

    def schedule(
        self, event: simpy.Event, priority: EventPriority = NORMAL, delay: float = 0
    ) -> None:
        """`simpy.Environment.schedule`, safe to call while a lane is being resumed."""
        # SimPy would put an urgent event in front of the running lane's entry, which
        # `_resume` expects at the head of the queue when it replaces it.
        if self._resuming and priority == URGENT:
            self._urgent.append((self._now + delay, priority, next(self._eid), event))
        else:
            super().schedule(event, priority, delay)

    def run(self, until: float | simpy.Event | None = None) -> object:
        """`simpy.Environment.run`; one step resumes all lanes up to the next event."""
        self._running, before = True, self._running
        try:
            return super().run(until)
        finally:
            self._running = before

    def step(self) -> None:
        """Process the next event, or resume the next lane."""
        queue = self._queue
        self.active_lane = self._no_lane
        if not queue or type(queue[0][3]) is not Lane:
            return super().step()
        self._resuming = True
        try:
            self._resume(queue)
        finally:
            self._resuming = False
            self.active_lane = self._no_lane
            self._queue_urgent()
        return None

    def _queue_urgent(self) -> None:
        """Queue the urgent events that were held back."""
        while self._urgent:
            heappush(self._queue, self._urgent.pop())

    def _resume(self, queue: list[Any]) -> None:
        """Resume the lane at the head of the queue; within `run`, all lanes up to the next event.

        This is the hottest loop of a run, so globals and attributes are bound to locals first.
        """
        urgent, running = self._urgent, self._running
        number, replace = self._eid.__next__, heapreplace
        while queue:
            now, _, _, lane = queue[0]
            if lane.__class__ is not Lane:
                break
            self._now, self.active_lane = now, lane
            try:
                delay = lane.send(None)
            except BaseException as ended:
                heappop(queue)
                if not isinstance(ended, StopIteration):
                    raise
                lane.end()
            else:
                if delay is None:
                    heappop(queue)  # parked: `wake` will queue it again
                else:  # one sift instead of a pop and a push
                    replace(queue, (now + delay, NORMAL, number(), lane))
            if urgent:
                self._queue_urgent()
            if not running:  # a caller that steps wants one event at a time
                break
