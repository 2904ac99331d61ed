"""A path that fails while it runs: the finding for an error, a hang or an unbalanced return.

An error in a user's patch is a finding of that patch, with its line.  Without such a patch, an
error is a fault of hgeisim, and goes on its way.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from linecache import getline
from pathlib import Path as FilePath
from types import FrameType
from typing import Any

from hgeisim.checks import own
from hgeisim.checks.finding import Finding, entry_function
from hgeisim.errors import ModelError
from hgeisim.kernel.state import Kernel
from hgeisim.kernel.variants import OWN, own_files
from hgeisim.machine.balance import Left, frames
from hgeisim.machine.ops import Path
from hgeisim.machine.task import Runner

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


def crash(
    k: Kernel, error: BaseException, functions: Sequence[str] = (), stack: Iterable[FrameType] = ()
) -> Finding:
    """The finding for an error in a path, or in what looks on.  Where it did not come up in the
    patch, the `functions` of the path and its `stack` say how far that was, as far as known."""
    if isinstance(error, Hang):
        return Finding(error.kind, error.function(), str(error))
    kind = "warn-on" if type(error) is AssertionError else "exception"
    words = f"{type(error).__name__}: {error}"
    for frame, file, line in list(_places(k, _frames(error)))[-1:]:
        source = "" if str(error) else getline(frame.f_code.co_filename, line).strip()
        return Finding(kind, frame.f_code.co_name, f"{words}{source} ({file}, line {line})")
    if where := standing_in(k, stack):
        words += f" (the path stands in {where})"
    return Finding(kind, _innermost(k, error) or "".join(functions[-1:]) or "kernel", words)


def stack_of(path: Path[Any] | None) -> list[FrameType]:
    """Where a path stands, outermost first; nowhere once it has ended."""
    generators = frames(path) if path is not None else ()
    return [each.gi_frame for each in generators if each.gi_frame is not None]


def standing_in(k: Kernel, stack: Iterable[FrameType]) -> str:
    """The innermost place of a path that is in the user's patches, "" where there is none."""
    at = [(frame, frame.f_lineno) for frame in stack]
    places = [f"{file}, line {line}" for _, file, line in _places(k, at)]
    return "".join(places[-1:])


def not_to_be_looked_at(k: Kernel, looks: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """What a look at a state finds; a value that a user's patch has left there may fit nowhere."""
    try:
        yield from looks()
    except FAILURES as error:
        if isinstance(error, ModelError) or not is_of_a_path(k, error):
            raise
        what = f"{type(error).__name__}: {error}"
        text = f"a check cannot look at a value that the patch has written: {what}"
        yield Finding("exception", "value", text)


def _frames(error: BaseException) -> Iterator[tuple[FrameType, int]]:
    trace = error.__traceback__
    while trace is not None:
        yield trace.tb_frame, trace.tb_lineno
        trace = trace.tb_next


def _places(
    k: Kernel, frames: Iterable[tuple[FrameType, int]]
) -> Iterator[tuple[FrameType, str, int]]:
    """The frame, file and line of each frame that is in the user's patches."""
    files = {_file_of(part): part.partition(":")[0] for part in own_files(k.name)}
    for frame, line in frames:
        if frame.f_code.co_filename in files:
            yield frame, files[frame.f_code.co_filename], line


def _file_of(part: str) -> str:
    module = sys.modules.get(OWN[part].__module__)
    return str(FilePath(getattr(module, "__file__", None) or part.partition(":")[0]).resolve())


def _innermost(k: Kernel, error: BaseException) -> str:
    """The innermost function of the kernel that led to an error, "" where there is none."""
    names = [frame.f_code.co_name for frame, _ in _frames(error)]
    return next((name for name in reversed(names) if callable(getattr(k, name, None))), "")


def unbalanced(who: Runner, left: Left) -> Finding:
    """The finding for a function that a context has left so."""
    return Finding("unbalanced", left.function, f"{who.name} returns with {left.balance}")
