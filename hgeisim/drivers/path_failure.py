"""Failures of a path while it runs: the findings for an error, a hang or an unbalanced return.

An error in a user's patch is a finding about that patch, with its line.  Without such a patch, an
error is a fault of hgeisim and is raised further.
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
from hgeisim.kernel.variants import OWN, opened, own_files
from hgeisim.machine.balance import Left, frames
from hgeisim.machine.hang import Hang
from hgeisim.machine.kernel_name import is_of_kernel, subject
from hgeisim.machine.ops import Path
from hgeisim.machine.task import Runner

FAILURES = (Exception, SystemExit, GeneratorExit)
"""The exceptions that a patch may raise; Ctrl-C is not among them."""


class AtomicSleep(Hang):
    """A task gives up its HART with interrupts or preemption off (BUG: scheduling while atomic)."""

    kind = "scheduling-while-atomic"

    def function(self, kernel: type) -> str:
        """The outermost function of AIA, since the innermost is the scheduler."""
        return entry_function(self.functions, super().function(kernel))


class NoOperation(Hang):
    """A path yields something that is not an operation."""

    kind = "exception"


def has_own_patch(k: Kernel) -> bool:
    """Whether a kernel contains a user's own patch, or objects of a user's build."""
    return bool(opened(k.name))


def is_of_a_path(k: Kernel, error: BaseException) -> bool:
    """Whether an error comes from the paths of a user's patch, not from the patch's own check or
    from hgeisim."""
    in_check = any(frame.f_code.co_filename == own.__file__ for frame, _ in _frames(error))
    return has_own_patch(k) and not in_check


def crash(
    k: Kernel, error: BaseException, functions: Sequence[str] = (), stack: Iterable[FrameType] = ()
) -> Finding:
    """The finding for an error in a path or in its watchers.  If it was not raised in the patch,
    the `functions` of the path and its `stack` say how far the path was, if that is known."""
    place = k.source_of([frame for frame, _ in _frames(error)])
    shown = f" ({place})" if place else ""
    about = subject(type(k), _innermost(k, error) or tuple(functions)) or "kernel"
    if isinstance(error, Hang):
        if error.functions:
            return Finding(error.kind, error.function(type(k)), str(error))
        return Finding(error.kind, about, f"{about}: {error}{shown}")
    kind = "warn-on" if type(error) is AssertionError else "exception"
    words = f"{type(error).__name__}: {error}"
    for frame, file, line in list(_places(k, _frames(error)))[-1:]:
        source = "" if str(error) else getline(frame.f_code.co_filename, line).strip()
        return Finding(kind, frame.f_code.co_name, f"{words}{source} ({file}, line {line})")
    if where := standing_in(k, stack):
        words += f" (the path stands in {where})"
    return Finding(kind, about, words + shown)


def stack_of(path: Path[Any] | None) -> list[FrameType]:
    """The frames of a suspended path, outermost first; none once it has ended."""
    generators = frames(path) if path is not None else ()
    return [each.gi_frame for each in generators if each.gi_frame is not None]


def standing_in(k: Kernel, stack: Iterable[FrameType]) -> str:
    """The innermost place of a path in the user's patches; "" if there is none."""
    at = [(frame, frame.f_lineno) for frame in stack]
    places = [f"{file}, line {line}" for _, file, line in _places(k, at)]
    return "".join(places[-1:])


def findings_or_crash(k: Kernel, check: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """The findings of a check of states, or one more where it fails on a value that a user's patch
    has written."""
    try:
        yield from check()
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
    """The frames that are in the user's patches, each with the name of its file and its line."""
    files = dict[str, str]()
    for part in own_files(k.name):
        name, module = part.partition(":")[0], sys.modules.get(OWN[part].__module__)
        files[str(FilePath(getattr(module, "__file__", None) or name).resolve())] = name
    for frame, line in frames:
        if frame.f_code.co_filename in files:
            yield frame, files[frame.f_code.co_filename], line


def _innermost(k: Kernel, error: BaseException) -> tuple[str, ...]:
    """The functions of the kernel that led to an error, outermost first."""
    inside = (frame for frame, _ in _frames(error) if is_of_kernel(frame))
    names = (frame.f_code.co_name for frame in inside)
    return tuple(name for name in names if callable(getattr(k, name, None)))


def unbalanced(who: Runner, left: Left) -> Finding:
    """The finding for a function that returned while it kept something, such as a lock."""
    return Finding("unbalanced", left.function, f"{who.name} returns with {left.balance}")
