"""The reference that the fast lane is compared with: the same lanes on stock SimPy processes."""

from __future__ import annotations

from collections.abc import Generator

import simpy

from hgeisim.drivers.timed.environment import Lane, LaneEnvironment, LaneGenerator


class StockEnvironment(LaneEnvironment):
    """The same on stock SimPy processes only: slower, the reference that lanes are compared
    with."""

    def lane(self, generator: LaneGenerator, after: int = 0) -> Lane:
        """Start the generator as a stock process."""
        return StockLane(self, generator, after)


class StockLane(Lane):
    """A lane that a `simpy.Process` executes."""

    def __init__(self, env: LaneEnvironment, generator: LaneGenerator, after: int = 0) -> None:
        simpy.Event.__init__(self, env)
        self.lanes = env
        self._woken: simpy.Event | None = None
        env.process(self._execute(generator, env.timeout(after) if after else None))

    def _execute(
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
        """Resume the process; like a lane, it may be woken just before it parks."""
        self._woken = self._woken or self.lanes.event()
        self._woken._ok, self._woken._value = True, None  # succeed(), which cannot take a delay
        self.lanes.schedule(self._woken, delay=after)
