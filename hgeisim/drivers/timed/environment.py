"""A SimPy environment with a faster lane for contexts of execution.

Almost everything that happens in a run is a context that sleeps for some ns and goes on.  A stock
SimPy process makes a Timeout, a list of callbacks and a call of `Process._resume` for that.  A
`Lane` yields the number instead, and stands in the queue itself.  It takes its place in SimPy's own
queue, at SimPy's own priorities, so that it happens in the order in which the stock process would
have happened; and it is an event, so that any process can wait for its end.
"""

from __future__ import annotations

from collections.abc import Generator
from heapq import heappop, heappush
from typing import TypeAlias

import simpy
from simpy.events import NORMAL, URGENT

LaneGenerator: TypeAlias = Generator[int | None, None, None]
"""Yields ns to sleep, or None to park until `Lane.wake` is called."""


class Lane(simpy.Event):
    """A process on the faster lane; as an event, it happens when its generator ends.

    It starts now, or `after` some ns.
    """

    def __init__(self, env: LaneEnvironment, generator: LaneGenerator, after: int = 0) -> None:
        self.env, self.callbacks, self._defused = env, [], False
        self.lanes, self.send, self.alive = env, generator.send, True
        if after:
            heappush(env._queue, (env._now + after, NORMAL, next(env._eid), self))
        else:
            env.schedule(self, URGENT)

    def wake(self) -> None:
        """Let a parked lane go on now, after what already waits for this moment."""
        env = self.lanes
        heappush(env._queue, (env._now, NORMAL, next(env._eid), self))


class LaneEnvironment(simpy.Environment):
    """A `simpy.Environment` in every respect, which resumes lanes itself."""

    active_lane: Lane
    _running = False

    def lane(self, generator: LaneGenerator, after: int = 0) -> Lane:
        """Start a process on the faster lane, now or after some ns."""
        return Lane(self, generator, after)

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
        while queue:
            now, _, _, lane = queue[0]
            if type(lane) is not Lane or not lane.alive:
                break
            heappop(queue)
            self._now, self.active_lane = now, lane
            try:
                delay = lane.send(None)
            except StopIteration:
                lane.alive = False
                lane.succeed()
            else:
                if delay is not None:
                    heappush(queue, (now + delay, NORMAL, next(self._eid), lane))
            if not self._running:
                return
        super().step()


class StockEnvironment(LaneEnvironment):
    """The same on stock SimPy processes only: slower, and what the faster lane is compared with."""

    def lane(self, generator: LaneGenerator, after: int = 0) -> Lane:
        """Start the generator as a stock process."""
        return StockLane(self, generator, after)


class StockLane(Lane):
    """A lane that is carried by a `simpy.Process`."""

    def __init__(self, env: LaneEnvironment, generator: LaneGenerator, after: int = 0) -> None:
        simpy.Event.__init__(self, env)
        self.lanes, self.alive = env, False
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

    def wake(self) -> None:
        """Let the process go on; like a lane, it may be woken just before it parks."""
        self._woken = self._woken or self.lanes.event()
        self._woken.succeed()
