"""A file of a user, plain or gzip, read up to a limit; whatever goes wrong is a Problem.

Only regular files are read: a pipe may never say anything, and a device never end.
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
"""Most bytes, unpacked, of what people write: scenarios, tables, baselines, devicetree blobs."""
RECORD_MAX = 4 << 30
"""Most bytes, unpacked, of what programs write: traces, files of run folders."""
GROWTH_MAX = 250
"""How many times its size a gzip file may unpack to, once that is more than TEXT_MAX; a trace grows
by a factor of 10 to 30."""
UNREADABLE = (OSError, EOFError, zlib.error, ValueError)
"""What reading may raise, besides InputError; ValueError comes from a path with a NUL in it."""

Unpacked: TypeAlias = gzip.GzipFile | io.BufferedReader
_GZIP = b"\x1f\x8b"
_MIB = 1 << 20


def read_bytes(path: Path, file: str = "", limit: int = TEXT_MAX) -> bytes:
    """The content of a file; `file` is how problems call it (default: the path)."""
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
    """Open a file to read it piece by piece, unpacked; raises what is in UNREADABLE, too."""
    with _regular(path, file) as raw:
        if os.fstat(raw.fileno()).st_size > limit:
            raise _too_large(file, limit)
        is_gzip = raw.peek(len(_GZIP)).startswith(_GZIP)
        inner = gzip.GzipFile(fileobj=raw) if is_gzip else raw
        yield io.BufferedReader(_Limited(inner, raw, file, limit))


def why_unreadable(error: Exception) -> str:
    """Say in words what reading a file raised."""
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
    raw = os.fdopen(number, "rb", closefd=True) if _is_regular(number) else None
    if raw is not None:
        return raw
    is_folder = stat.S_ISDIR(os.fstat(number).st_mode)
    os.close(number)
    if is_folder:
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    allowed = "is a pipe or a device; only files are read"
    raise InputError([Problem(file, "", "", allowed, "save what it gives in a file first")])


def _is_regular(number: int) -> bool:
    return stat.S_ISREG(os.fstat(number).st_mode)


class _Limited(io.RawIOBase):
    """What `inner` gives, up to a limit; `raw` knows how much of the file that took."""

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
