"""A command as a process: its exit statuses, the signals that end it, its stdout and stderr.

SIGTERM and SIGHUP end a command as Ctrl-C does, so that nothing half-written is left behind.  A
shell may leave stdout and stderr closed, full, or with an encoding that has few letters.
"""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

EXIT_NOTHING_NEW = 0
EXIT_FINDING = 1
EXIT_BAD_INPUT = 2
EXIT_INTERNAL = 3
EXIT_BUDGET = 4


STOPPING = (signal.SIGTERM, signal.SIGHUP)


class Stopped(BaseException):
    """A signal with this `number` asked the command to end."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(number)


@contextmanager
def stoppable() -> Iterator[None]:
    """Raise `Stopped` when a signal comes; one that is ignored (nohup) stays ignored."""
    ours = threading.current_thread() is threading.main_thread()
    numbers = [n for n in STOPPING if ours and signal.getsignal(n) is signal.SIG_DFL]
    for number in numbers:
        signal.signal(number, _stop)
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)


def _stop(number: int, _: FrameType | None) -> NoReturn:
    raise Stopped(number)


def prepare_streams() -> str:
    """Make stdout and stderr fit for output; returns why stdout is not, if so.

    A letter that the encoding lacks, or a byte of a file's name that is not a letter, becomes an
    escape.
    """
    if sys.stderr is None:  # closed, as after `2>&-`: there is nobody to speak to
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - to the end
    if sys.stdout is None:
        return "it is closed"
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    return ""


def drop_what_is_left() -> None:
    """Write the rest of the output, or else drop it: Python would complain at its exit."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
