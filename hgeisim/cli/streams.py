"""stdout and stderr as a shell may leave them: closed, full, or with an encoding of few letters."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path


def prepare_streams() -> str:
    """Make both fit to speak to; says why stdout cannot be, if so.

    A letter that an encoding lacks, or a byte of a file's name that is no letter, is an escape.
    """
    if sys.stderr is None:  # closed, as after `2>&-`: there is nobody to speak to
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - to the end
    if sys.stdout is None:
        return "it is closed"
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    return ""


def drop_what_is_left() -> None:
    """Write what is still to be written, or else forget it: Python would complain at its exit."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
