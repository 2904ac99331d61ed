"""The end of a guest's stretch of work: an alarm that can be put off without a trace.

A guest that an interrupt makes exit goes on later with what is left, so the time at which it will
be done only ever gets later.  The alarm keeps a single entry in the queue of the environment: when
that comes too early, it is queued again.
"""

from __future__ import annotations

from collections.abc import Callable

from hgeisim.drivers.timed.environment import LaneEnvironment, LaneGenerator


class GuestTimer:
    """One guest's alarm; `due_ns` is when it is to go off, None when it is not set."""

    def __init__(self, env: LaneEnvironment, go_off: Callable[[], None]) -> None:
        self.env, self.go_off = env, go_off
        self.due_ns: int | None = None
        self._parked = True
        self._lane = env.lane(self._run())

    def arm(self, due_ns: int) -> None:
        """Go off at a time, no earlier than any time asked for before."""
        self.due_ns = due_ns
        if self._parked:
            self._parked = False
            self._lane.wake()

    def disarm(self) -> None:
        """Do nothing then."""
        self.due_ns = None

    def _run(self) -> LaneGenerator:
        yield None
        while True:
            if self.due_ns is None:
                self._parked = True
                yield None
            elif self.due_ns > self.env.now:
                yield self.due_ns - int(self.env.now)
            else:
                self.due_ns = None
                self.go_off()
