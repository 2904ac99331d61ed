"""Reading a user's file, plain or gzip, up to a limit; whatever goes wrong becomes a Problem.

Only regular files are read: a pipe may never deliver anything, and a device may never end.
"""

from __future__ import annotations

import errno
import gzip
import io
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from hgeisim.errors import InputError, Problem

TEXT_MAX = 16 << 20
"""Most bytes, unpacked, of a file that people write: scenario, table, baseline, devicetree blob."""
RECORD_MAX = 4 << 30
"""Most bytes, unpacked, of a file that programs write: a trace, a file of a run folder."""
GROWTH_MAX = 250
"""Largest factor by which a gzip file may grow when unpacked to more than TEXT_MAX; a trace grows
by a factor of 10 to 30."""
UNREADABLE = (OSError, EOFError, zlib.error, ValueError)
"""The exceptions of reading, besides InputError; ValueError comes from a path with a NUL in it."""

Unpacked: TypeAlias = gzip.GzipFile | io.BufferedReader
_GZIP = b"\x1f\x8b"
_MIB = 1 << 20


def read_bytes(path: Path, file: str = "", limit: int = TEXT_MAX) -> bytes:
    """The content of a file; `file` is its name in problems (default: the path)."""
    file = file or str(path)
    try:
        with opened(path, file, limit) as stream:
            return stream.read()
    except UNREADABLE as error:
        raise InputError([Problem(file, "", "", why_unreadable(error))]) from None


def read_text(path: Path, file: str = "", limit: int = TEXT_MAX) -> str:
    """The text of a file, UTF-8, with "\\n" at the ends of lines."""
    data = read_bytes(path, file, limit)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        where = f"line {data[: error.start].count(10) + 1}"
        value = f"byte {data[error.start]:#04x}"
        raise InputError([Problem(file or str(path), where, value, "must be UTF-8")]) from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


@contextmanager
def opened(path: Path, file: str, limit: int) -> Iterator[io.BufferedReader]:
    """Open a file to read it piece by piece, unpacked; reading it may raise any of UNREADABLE."""
    with _regular(path, file) as raw:
        if os.fstat(raw.fileno()).st_size > limit:
            raise _too_large(file, limit)
        is_gzip = raw.peek(len(_GZIP)).startswith(_GZIP)
        inner = gzip.GzipFile(fileobj=raw) if is_gzip else raw
        yield io.BufferedReader(_Limited(inner, raw, file, limit))


def why_unreadable(error: Exception) -> str:
    """The reason why a file cannot be read, for an exception of UNREADABLE."""
    if isinstance(error, EOFError):
        return "the gzip file is cut short here"
    if isinstance(error, zlib.error | gzip.BadGzipFile):
        return "the gzip file is damaged here"
    return f"cannot be read: {getattr(error, 'strerror', None) or error}"


def is_file(path: str | Path) -> bool:
    """Whether there is a regular file, for any path at all: `Path.is_file` refuses a long one."""
    return os.path.isfile(path)  # noqa: PTH113 - it answers where that raises


def _regular(path: Path, file: str) -> io.BufferedReader:
    """Open a regular file; never waits for the other end of a pipe."""
    number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    mode = os.fstat(number).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(number, "rb", closefd=True)
    os.close(number)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    allowed = "is a pipe or a device; only regular files are read"
    raise InputError([Problem(file, "", "", allowed, "save its output to a file first")])


class _Limited(io.RawIOBase):
    """The bytes of `inner` up to a limit; `raw` says how much of the file they took."""

    def __init__(self, inner: Unpacked, raw: io.BufferedReader, file: str, limit: int) -> None:
        self._inner, self._raw, self._file, self._limit = inner, raw, file, limit
        self._size = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self._inner.read1(len(buffer))
        buffer[: len(data)] = data
        self._size += len(data)
        if self._size > self._limit:
            raise _too_large(self._file, self._limit)
        if self._size > max(TEXT_MAX, GROWTH_MAX * self._raw.tell()):
            allowed = f"is a gzip file that unpacks to more than {GROWTH_MAX} times its size"
            raise InputError([Problem(self._file, "", "", allowed)])
        return len(data)


def _too_large(file: str, limit: int) -> InputError:
    allowed = f"must not have more than {limit // _MIB} MiB, unpacked"
    return InputError([Problem(file, "", "", allowed)])
