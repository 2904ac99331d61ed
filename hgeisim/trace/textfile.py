"""Lines of a text file, plain or gzip; every way in which reading can fail is told as a Problem."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import BinaryIO, cast

from hgeisim.errors import InputError, Problem

_GZIP = b"\x1f\x8b"
_TRACE_DAT = b"\x17\x08\x44tracing"


def lines_of(path: Path) -> Iterator[str]:
    """Yield the lines with their ends ("\\n", also where the file has "\\r\\n").

    Bytes that are no UTF-8 come as U+FFFD: names of tasks may hold any.  InputError: the file
    cannot be read, is cut short or damaged; it tells how many lines were good.
    """
    number = 0
    try:
        with path.open("rb") as raw, closing(_text(raw, path)) as stream:
            for line in stream:
                yield line
                number += 1
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        cut = isinstance(error, EOFError)
        allowed = "the gzip file is cut short here" if cut else "the gzip file is damaged here"
        raise InputError([Problem(str(path), f"after line {number}", "", allowed)]) from None
    except OSError as error:
        reason = f"cannot be read: {error.strerror or error}"
        raise InputError([Problem(str(path), "", "", reason)]) from None


def _text(raw: io.BufferedReader, path: Path) -> io.TextIOWrapper:
    head = raw.peek(len(_TRACE_DAT))
    if head.startswith(_TRACE_DAT):
        allowed, remedy = "is the binary file of trace-cmd", "`trace-cmd report` makes it text"
        raise InputError([Problem(str(path), "", "", allowed, remedy)])
    if b"\0" in head and not head.startswith(_GZIP):
        raise InputError([Problem(str(path), "", "", "is no text file, and no gzip of one")])
    inner = cast("BinaryIO", gzip.GzipFile(fileobj=raw) if head.startswith(_GZIP) else raw)
    return io.TextIOWrapper(inner, encoding="utf-8", errors="replace")
