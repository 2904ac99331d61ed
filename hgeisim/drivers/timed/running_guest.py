"""A guest in its stretch of work, of which an interrupt may leave a rest."""

from __future__ import annotations

from hgeisim.drivers.timed.core import Core
from hgeisim.drivers.timed.environment import Lane, LaneEnvironment, LaneGenerator
from hgeisim.drivers.timed.guest_timer import GuestTimer
from hgeisim.errors import ModelError
from hgeisim.machine.ops import Spend


class RunningGuest:
    """The guest of one thread; `stretch` says how long each stretch is, `left_ns` is what is left
    of the present one, None when a new one is to begin."""

    def __init__(self, env: LaneEnvironment, stretch: Spend) -> None:
        self.env, self.stretch = env, stretch
        self.left_ns: int | None = None
        self._on: tuple[Core, Lane] | None = None
        self._timer = GuestTimer(env, self._done)

    def run(self, core: Core) -> LaneGenerator:
        """Work until the stretch is over or an interrupt makes the guest exit."""
        if self.left_ns is None:
            raise ModelError("no stretch has begun")
        start_ns = int(self.env.now)
        if core.hart.guest:
            self._on = core, self.env.active_lane
            core.guest = self.exit
            self._timer.arm(start_ns + self.left_ns)
            yield None
        exited = not core.hart.guest
        self.left_ns = self.left_ns - max(0, core.exited_ns - start_ns) if exited else None

    def exit(self) -> Lane:
        """An interrupt makes it exit: returns the lane to wake when that is over."""
        self._timer.disarm()
        return self._place()[1]

    def _done(self) -> None:
        core, lane = self._place()
        core.guest = None
        lane.wake()

    def _place(self) -> tuple[Core, Lane]:
        if self._on is None:
            raise ModelError("it has not run")
        return self._on
