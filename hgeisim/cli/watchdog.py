"""A loop of a user's patch that has no yield, and no end, is stopped after a long time.

Nothing else can step while it goes on, and no rule sees all such loops.  Every second of CPU time
the stack is looked at.  A patch that is found in the same step LIMIT times running is stopped where
it is: that is an error with its line, not a finding, for it depends on the machine.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

TICK_S = 1.0
LIMIT = 30
Stack = list[FrameType]


class Stuck(BaseException):
    """A patch does not come to a yield; `filename` and `lineno` are a place in its loop.

    No `except Exception` of the patch catches it.
    """

    def __init__(self, text: str, frame: FrameType) -> None:
        super().__init__(text)
        self.filename, self.lineno = frame.f_code.co_filename, frame.f_lineno


@contextmanager
def stuck_loops_stopped(is_of_patch: Callable[[str], bool]) -> Iterator[None]:
    """Watch the main thread; `is_of_patch` says whether a file is a user's."""
    dog = _Watchdog(is_of_patch)
    before = signal.signal(signal.SIGVTALRM, dog.tick)
    signal.setitimer(signal.ITIMER_VIRTUAL, TICK_S, TICK_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


class _Watchdog:
    """`here` are the frames, outermost first, that were on the stack the last `count` times."""

    def __init__(self, is_of_patch: Callable[[str], bool]) -> None:
        self.is_of_patch = is_of_patch
        self.here: Stack = []
        self.count = 0

    def tick(self, _: int, frame: FrameType | None) -> None:
        """Look at the stack; a step has frames of its own around the outermost one of a patch."""
        stack = _stack(frame)
        stays = [one for one, other in zip(stack, self.here, strict=False) if one is other]
        within = [each for each in stays if self.is_of_patch(each.f_code.co_filename)]
        if not within:
            self.here, self.count = stack, 0
            return
        self.here, self.count = stays, self.count + 1
        if self.count >= LIMIT:
            self.here, self.count = [], 0
            text = f"no yield for {LIMIT * TICK_S:g} s of CPU time, and no other context can step"
            raise Stuck(text, within[-1])


def _stack(frame: FrameType | None) -> Stack:
    stack: Stack = []
    while frame is not None:
        stack.append(frame)
        frame = frame.f_back
    return stack[::-1]
