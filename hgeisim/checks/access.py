"""One access to a guarded field, and where in the kernel's code it is made."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from inspect import CO_GENERATOR
from itertools import islice
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from hgeisim.kernel.annotations import Guard
from hgeisim.machine.kernel_name import LOOKING_ON, is_of_kernel, shown
from hgeisim.machine.shared import Shared

MARKED_READS = ("READ_ONCE", "test_bit")
"""What reads a field as one access that needs no lock; what is read is its argument."""
ATOMICS = "hgeisim.machine.atomics"
"""The module whose functions make marked accesses themselves."""


class Access(NamedTuple):
    """Somebody reads or writes a field of a struct in a function; `marked` as in `Site`."""

    guard: Guard
    struct: Shared
    field: str
    written: bool
    function: str
    marked: bool


class Site(NamedTuple):
    """The function that an access is made in, the paths that led there, the inner ones first, and
    whether it is marked: by READ_ONCE, or atomic.  `piece` is the innermost path as the model
    names it."""

    function: str
    paths: tuple[str, ...]
    marked: bool
    piece: str = ""


def site(frame: FrameType | None, kernel: type) -> Site | None:
    """Where a path of a kernel makes an access in a frame; None where it is made by somebody who
    looks on."""
    frames = list(_outwards(frame))
    if any(each.f_globals["__name__"].startswith(LOOKING_ON) for each in frames):
        return None
    atomic = any(each.f_globals["__name__"] == ATOMICS for each in frames)
    named = [each for each in frames if _has_a_name(each) and is_of_kernel(each)]
    if not named:
        return None
    inner = named[0]
    marked = atomic or _place(inner) in _marked(inner.f_code.co_filename)
    chain = tuple(each.f_code.co_name for each in reversed(named))
    paths = tuple(
        each.f_code.co_name for each in reversed(named) if each.f_code.co_flags & CO_GENERATOR
    )
    function, innermost = shown(kernel, chain)[-1], "".join(paths[-1:])
    return Site(function, shown(kernel, paths)[::-1], marked, innermost)


def _has_a_name(frame: FrameType) -> bool:
    return not frame.f_code.co_name.startswith("<")


def _outwards(frame: FrameType | None) -> Iterator[FrameType]:
    """The frames of a path from the inner to the outer ones."""
    while frame is not None and not frame.f_globals["__name__"].startswith("hgeisim.drivers."):
        yield frame
        frame = frame.f_back


def _place(frame: FrameType) -> tuple[int | None, int | None]:
    """The line and the column of what a frame is executing."""
    place = next(islice(frame.f_code.co_positions(), frame.f_lasti // 2, None))
    return place[0], place[2]


@cache
def _marked(file: str) -> frozenset[tuple[int | None, int | None]]:
    """The places of all expressions in the marked reads of a file."""
    try:
        tree = ast.parse(Path(file).read_bytes())
    except (OSError, SyntaxError):
        return frozenset()
    return frozenset(
        (part.lineno, part.col_offset)
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and _last_name(call.func) in MARKED_READS
        for argument in call.args
        for part in ast.walk(argument)
        if isinstance(part, ast.expr)
    )


def _last_name(function: ast.expr) -> str:
    """The name of a function, without its module."""
    return ast.unparse(function).rpartition(".")[2]
