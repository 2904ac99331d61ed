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
    """A process on the faster lane; as an event, it happens when its generator ends."""

    def __init__(self, env: LaneEnvironment, generator: LaneGenerator) -> None:
        super().__init__(env)
        self.lanes, self._send, self.alive = env, generator.send, True
        env.schedule(self, URGENT)

    def resume(self) -> None:
        """Run the generator up to its next sleep."""
        env = self.lanes
        env.active_lane = self
        try:
            delay = self._send(None)
        except StopIteration:
            self.alive = False
            self.succeed()
            return
        if delay is not None:
            heappush(env._queue, (env._now + delay, NORMAL, next(env._eid), self))

    def wake(self) -> None:
        """Let a parked lane go on now, after what already waits for this moment."""
        self.lanes.schedule(self)


class LaneEnvironment(simpy.Environment):
    """A `simpy.Environment` in every respect, which resumes lanes itself."""

    active_lane: Lane

    def lane(self, generator: LaneGenerator) -> Lane:
        """Start a process on the faster lane."""
        return Lane(self, generator)

    def step(self) -> None:
        """Process the next event, or resume the next lane."""
        queue = self._queue
        if queue:
            lane = queue[0][3]
            if type(lane) is Lane and lane.alive:
                self._now = heappop(queue)[0]
                lane.resume()
                return
        super().step()


class StockEnvironment(LaneEnvironment):
    """The same on stock SimPy processes only: slower, and what the faster lane is compared with."""

    def lane(self, generator: LaneGenerator) -> Lane:
        """Start the generator as a stock process."""
        return StockLane(self, generator)


class StockLane(Lane):
    """A lane that is carried by a `simpy.Process`."""

    def __init__(self, env: LaneEnvironment, generator: LaneGenerator) -> None:
        simpy.Event.__init__(self, env)
        self.lanes, self.alive = env, False
        self._woken: simpy.Event | None = None
        env.process(self._carry(generator))

    def _carry(self, generator: LaneGenerator) -> Generator[simpy.Event, object, None]:
        send = generator.send
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
