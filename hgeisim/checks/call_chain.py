"""In which kernel functions a context is, read from the generators of its path."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from hgeisim.machine.ops import Path
from hgeisim.machine.task import Runner

NOT_KERNEL = ("hgeisim.drivers.", "hgeisim.record.", "hgeisim.kernel.script")
"""Modules whose generators stand around kernel functions and are none themselves."""


class CallChains(Protocol):
    """Whoever knows the call chains of contexts: a driver."""

    def functions(self, who: Runner) -> tuple[str, ...]:
        """The kernel functions that a context is in, outermost first."""

    def entry(self, who: Runner) -> str:
        """The outermost one of a hardirq: its handler.  Asked often."""


class PathChains:
    """Call chains of the paths that a driver executes now, by context."""

    def __init__(self, paths: Mapping[Runner, Path[Any]]) -> None:
        self.paths = paths

    def functions(self, who: Runner) -> tuple[str, ...]:
        """Walk the generators; what only stands around a function of the kernel is left out."""
        names: list[str] = []
        path: Any = self.paths.get(who)
        while path is not None and getattr(path, "gi_frame", None) is not None:
            if not path.gi_frame.f_globals["__name__"].startswith(NOT_KERNEL):
                names.append(path.gi_code.co_name)
            path = path.gi_yieldfrom
        return tuple(names)

    def entry(self, who: Runner) -> str:
        """The name of the outermost generator."""
        path: Any = self.paths[who]
        name: str = path.gi_code.co_name
        return name
