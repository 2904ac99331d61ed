"""The kernel functions that a context is in, read from the generators of its path."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from inspect import CO_GENERATOR
from types import FrameType
from typing import Any, Protocol

from hgeisim.errors import ModelError
from hgeisim.machine.kernel_name import is_of_kernel, shown, subject
from hgeisim.machine.ops import Path
from hgeisim.machine.task import Runner

AROUND = frozenset(("hgeisim.drivers.timed.workload.interrupts",))
"""Modules with generators around the handler of an interrupt."""


class CallChains(Protocol):
    """Whoever knows the call chains of contexts: a driver."""

    def functions(self, who: Runner) -> tuple[str, ...]:
        """The kernel functions that a context is in, outermost first."""

    def entry(self, who: Runner) -> str:
        """The outermost one of a hardirq: its handler.  Asked often."""


class PathChains:
    """Call chains of the paths of a kernel that a driver executes now, by context."""

    def __init__(self, paths: Mapping[Runner, Path[Any]], kernel: type) -> None:
        self.paths, self.kernel = paths, kernel

    def functions(self, who: Runner) -> tuple[str, ...]:
        """The generators of its path, by the names of the kernel, without what only stands around a
        function of the kernel.  A path that goes on at this moment is found among the frames that
        are executed."""
        return shown(self.kernel, self._chain(who))

    def subject(self, who: Runner) -> str:
        """The innermost function, as a finding about it names it."""
        return subject(self.kernel, self._chain(who))

    def _chain(self, who: Runner) -> tuple[str, ...]:
        path: Any = self.paths.get(who)
        running = getattr(path, "gi_running", False)
        frames = _executed(path.gi_frame) if running else _suspended(path)
        return tuple(frame.f_code.co_name for frame in frames if is_of_kernel(frame))

    def entry(self, who: Runner) -> str:
        """The name of the outermost generator that is a function of the kernel."""
        path: Any = self.paths[who]
        while path.gi_frame is not None and path.gi_frame.f_globals["__name__"] in AROUND:
            if path.gi_yieldfrom is None:  # it goes on at this moment
                return next(iter(self.functions(who)), path.gi_code.co_name)
            path = path.gi_yieldfrom
        return shown(self.kernel, (path.gi_code.co_name,))[0]


def _suspended(path: Any) -> Iterator[FrameType]:
    """The frames of suspended generators, from the outermost to the innermost."""
    while path is not None and getattr(path, "gi_frame", None) is not None:
        yield path.gi_frame
        path = path.gi_yieldfrom


def _executed(outermost: FrameType) -> list[FrameType]:
    """The frames of the generators that are executed, from one on."""
    frames = []
    frame = sys._getframe()
    while frame is not outermost:
        if frame.f_back is None:
            raise ModelError("the path is not being executed")
        frame = frame.f_back
        if frame.f_code.co_flags & CO_GENERATOR and not frame.f_code.co_name.startswith("<"):
            frames.append(frame)
    return frames[::-1]
