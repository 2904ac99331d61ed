"""A user's patch that fails while it runs: a finding of that patch, with its line.

Without such a patch an error is a fault of hgeisim, and goes on its way.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from linecache import getline
from pathlib import Path
from types import FrameType

from hgeisim.checks import own
from hgeisim.checks.cause import entry_function
from hgeisim.checks.finding import Finding
from hgeisim.errors import ModelError
from hgeisim.kernel.state import Kernel
from hgeisim.kernel.variants import OWN, own_files

FAILURES = (Exception, SystemExit, GeneratorExit)
"""What a patch may raise; Ctrl-C is none of it."""


class Hang(ModelError):
    """A path does what no path may; `functions` is its call chain, outermost first."""

    kind = ""

    def __init__(self, text: str, functions: tuple[str, ...]) -> None:
        super().__init__(text)
        self.functions = functions

    def function(self) -> str:
        """The innermost function, which a finding is about."""
        return "".join(self.functions[-1:]) or "kernel"


class AtomicSleep(Hang):
    """A task gives its HART up with interrupts or preemption off (BUG: scheduling while atomic)."""

    kind = "scheduling-while-atomic"

    def function(self) -> str:
        """The outermost one of AIA, since the innermost is the scheduler."""
        return entry_function(self.functions, super().function())


class NoOperation(Hang):
    """A path yields what is no operation."""

    kind = "exception"


class Endless(Hang):
    """A path does not come to its end."""

    kind = "endless"


def has_own_patch(k: Kernel) -> bool:
    """Whether a user's own patch is in a kernel."""
    return bool(own_files(k.name))


def is_of_a_path(k: Kernel, error: BaseException) -> bool:
    """Whether an error is one of a user's patch: not of hgeisim, nor of the patch's own check."""
    in_check = any(frame.f_code.co_filename == own.__file__ for frame, _ in _frames(error))
    return has_own_patch(k) and not in_check


def crash(k: Kernel, error: BaseException) -> Finding:
    """The finding for an error in a path."""
    if isinstance(error, Hang):
        return Finding(error.kind, error.function(), str(error))
    kind = "warn-on" if type(error) is AssertionError else "exception"
    words = f"{type(error).__name__}: {error}"
    for frame, file, line in list(_places(k, error))[-1:]:
        source = "" if str(error) else getline(frame.f_code.co_filename, line).strip()
        return Finding(kind, frame.f_code.co_name, f"{words}{source} ({file}, line {line})")
    return Finding(kind, _innermost(k, error), words)


def _frames(error: BaseException) -> Iterator[tuple[FrameType, int]]:
    trace = error.__traceback__
    while trace is not None:
        yield trace.tb_frame, trace.tb_lineno
        trace = trace.tb_next


def _places(k: Kernel, error: BaseException) -> Iterator[tuple[FrameType, str, int]]:
    """The frame, file and line of each place in the user's patches that led to an error."""
    files = {_file_of(part): part.partition(":")[0] for part in own_files(k.name)}
    for frame, line in _frames(error):
        if frame.f_code.co_filename in files:
            yield frame, files[frame.f_code.co_filename], line


def _file_of(part: str) -> str:
    module = sys.modules.get(OWN[part].__module__)
    return str(Path(getattr(module, "__file__", None) or part.partition(":")[0]).resolve())


def _innermost(k: Kernel, error: BaseException) -> str:
    """The innermost function of the kernel that led to an error."""
    names = [frame.f_code.co_name for frame, _ in _frames(error)]
    return next((name for name in reversed(names) if callable(getattr(k, name, None))), "kernel")
