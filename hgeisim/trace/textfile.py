"""Lines of a trace, plain or gzip; every way in which reading can fail is told as a Problem."""

from __future__ import annotations

import io
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from hgeisim.errors import InputError, Problem
from hgeisim.user_file import RECORD_MAX, UNREADABLE, opened, why_unreadable

LINE_MAX = 1 << 16
"""Most letters of a line; the kernel prints at most some thousands."""
_TRACE_DAT = b"\x17\x08\x44tracing"


def lines_of(path: Path) -> Iterator[str]:
    """Yield the lines with their ends ("\\n", also where the file has "\\r\\n").

    Bytes that are no UTF-8 come as U+FFFD: names of tasks may hold any.  InputError: the file
    cannot be read, is cut short, damaged or too large; it tells how many lines were good.
    """
    number, file = 0, str(path)
    try:
        with opened(path, file, RECORD_MAX) as stream:
            text = _text(stream, file)
            for line in iter(partial(text.readline, LINE_MAX), ""):
                number += 1
                if len(line) == LINE_MAX:
                    allowed = f"must have fewer than {LINE_MAX} letters"
                    raise InputError([Problem(file, f"line {number}", ascii(line[:60]), allowed)])
                yield line
    except UNREADABLE as error:
        where = f"after line {number}" if number else ""
        raise InputError([Problem(file, where, "", why_unreadable(error))]) from None


def _text(stream: io.BufferedReader, file: str) -> io.TextIOWrapper:
    head = stream.peek(len(_TRACE_DAT))
    if head.startswith(_TRACE_DAT):
        allowed, remedy = "is the binary file of trace-cmd", "`trace-cmd report` makes it text"
        raise InputError([Problem(file, "", "", allowed, remedy)])
    if b"\0" in head:
        raise InputError([Problem(file, "", "", "is no text file, and no gzip of one")])
    return io.TextIOWrapper(stream, encoding="utf-8", errors="replace")
