"""A SimPy environment with a faster lane for contexts of execution.

Almost everything that happens in a run is a context that sleeps for some ns and goes on.  A stock
SimPy process makes a Timeout, a list of callbacks and a call of `Process._resume` for that.  A
`Lane` yields the number instead, and stands in the queue itself.  It takes its place in SimPy's own
queue, at SimPy's own priorities, so that it happens in the order in which the stock process would
have happened; and it is an event, so that any process can wait for its end.
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
    """A process on the faster lane; as an event, it happens when its generator ends.

    It starts now, or `after` some ns.  `who` is whoever it carries, for those that care.
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
        """Let a parked lane go on now or after some ns, after what already waits for then."""
        env = self.lanes
        heappush(env._queue, (env._now + after, NORMAL, next(env._eid), self))

    def end(self) -> None:
        """Be an event like any other, which happens now."""
        self.__class__ = EndedLane
        self.succeed()


class EndedLane(Lane):
    """A lane whose generator has ended."""


class _NoLane(Lane):
    """What is active while no lane is."""

    def __init__(self, env: LaneEnvironment) -> None:
        simpy.Event.__init__(self, env)


class TimedClock(Clock):
    """The clock of a kernel that runs in an environment."""

    def __init__(self, env: simpy.Environment) -> None:
        self.env = env

    def now_ns(self) -> int:
        """The time in ns."""
        return int(self.env._now)


class LaneEnvironment(simpy.Environment):
    """A `simpy.Environment` in every respect, which resumes lanes itself.

    The entry of a lane stays at the head of the queue while the lane goes on, to be replaced by its
    next one at once; what is urgent at that moment stands in `_urgent` for so long.  `active_lane`
    is the one that goes on now, and carries nobody (`who` is None) when an event is processed.
    """

    active_lane: Lane

    _running = _resuming = False

    def __init__(self, initial_time: float = 0) -> None:
        super().__init__(initial_time)
        self._urgent: list[Any] = []
        self.active_lane = self._no_lane = _NoLane(self)

    def lane(self, generator: LaneGenerator, after: int = 0) -> Lane:
        """Start a process on the faster lane, now or after some ns."""
        return Lane(self, generator, after)

    def schedule(
        self, event: simpy.Event, priority: EventPriority = NORMAL, delay: float = 0
    ) -> None:
        """As `simpy.Environment.schedule`."""
        if self._resuming and priority == URGENT:
            self._urgent.append((self._now + delay, priority, next(self._eid), event))
        else:
            super().schedule(event, priority, delay)

    def run(self, until: float | simpy.Event | None = None) -> object:
        """As `simpy.Environment.run`; all lanes up to the next event go in one step."""
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
            self._settle()
        return None

    def _settle(self) -> None:
        """Put what became urgent into the queue."""
        while self._urgent:
            heappush(self._queue, self._urgent.pop())

    def _resume(self, queue: list[Any]) -> None:
        """Resume the lane at the head of the queue; in a run, all up to the next event."""
        urgent, running, number, replace = (
            self._urgent,
            self._running,
            self._eid.__next__,
            heapreplace,
        )
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
                    heappop(queue)
                else:
                    replace(queue, (now + delay, NORMAL, number(), lane))
            if urgent:
                self._settle()
            if not running:
                break


class StockEnvironment(LaneEnvironment):
    """The same on stock SimPy processes only: slower, and what the faster lane is compared with."""

    def lane(self, generator: LaneGenerator, after: int = 0) -> Lane:
        """Start the generator as a stock process."""
        return StockLane(self, generator, after)


class StockLane(Lane):
    """A lane that is carried by a `simpy.Process`."""

    def __init__(self, env: LaneEnvironment, generator: LaneGenerator, after: int = 0) -> None:
        simpy.Event.__init__(self, env)
        self.lanes = env
        self._woken: simpy.Event | None = None
        env.process(self._carry(generator, env.timeout(after) if after else None))

    def _carry(
        self, generator: LaneGenerator, start: simpy.Event | None
    ) -> Generator[simpy.Event, object, None]:
        send = generator.send
        if start is not None:
            yield start
        while True:
            self.lanes.active_lane = self
            try:
                delay = send(None)
            except StopIteration:
                break
            if delay is None:
                self._woken = self._woken or self.lanes.event()
                yield self._woken
                self._woken = None
            else:
                yield self.lanes.timeout(delay)
        self.succeed()

    def wake(self, after: int = 0) -> None:
        """Let the process go on; like a lane, it may be woken just before it parks."""
        self._woken = self._woken or self.lanes.event()
        self._woken._ok, self._woken._value = True, None  # as succeed(), which knows no delay
        self.lanes.schedule(self._woken, delay=after)
