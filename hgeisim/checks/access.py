"""One access to a guarded field, and where in the kernel's code it is made."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from itertools import islice
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from hgeisim.kernel.guards import Guard
from hgeisim.machine.shared import Shared

MARKED_READS = ("READ_ONCE", "test_bit")
"""What reads a field as one access that needs no lock."""
LOOKING_ON = ("hgeisim.checks.", "hgeisim.watch.")
"""Modules that look on from within a path."""


class Access(NamedTuple):
    """Somebody reads or writes a field of a struct in a function; `marked` by READ_ONCE."""

    guard: Guard
    struct: Shared
    field: str
    written: bool
    function: str
    marked: bool


def site(frame: FrameType | None) -> tuple[str, bool] | None:
    """The function that makes an access in a frame, and whether that is a marked read; None where
    no path makes it, but somebody who looks on."""
    frames = list(_outwards(frame))
    if any(each.f_globals["__name__"].startswith(LOOKING_ON) for each in frames):
        return None
    for each in frames:
        if not each.f_code.co_name.startswith("<"):
            return each.f_code.co_name, _place(each) in _marked(each.f_code.co_filename)
    return None


def _outwards(frame: FrameType | None) -> Iterator[FrameType]:
    """The frames of a path from the inner to the outer ones, without those of the machine."""
    while frame is not None and not frame.f_globals["__name__"].startswith("hgeisim.drivers."):
        if not frame.f_globals["__name__"].startswith("hgeisim.machine."):
            yield frame
        frame = frame.f_back


def _place(frame: FrameType) -> tuple[int | None, int | None]:
    """The line and the column of what a frame is executing."""
    place = next(islice(frame.f_code.co_positions(), frame.f_lasti // 2, None))
    return place[0], place[2]


@cache
def _marked(file: str) -> frozenset[tuple[int | None, int | None]]:
    """The places of all that stands in a marked read, in a file."""
    try:
        tree = ast.parse(Path(file).read_bytes())
    except (OSError, SyntaxError):
        return frozenset()
    return frozenset(
        (part.lineno, part.col_offset)
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and ast.unparse(call.func).endswith(MARKED_READS)
        for argument in call.args
        for part in ast.walk(argument)
        if isinstance(part, ast.expr)
    )
