"""Reading a text file of a user."""

from __future__ import annotations

from pathlib import Path

from hgeisim.errors import InputError, Problem


def read_text(path: Path) -> str:
    """The text of a file; InputError when it cannot be read or is no UTF-8."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        reason = f"cannot be read: {error.strerror}"
        raise InputError([Problem(str(path), "", "", reason)]) from error
    except UnicodeDecodeError as error:
        raise InputError([Problem(str(path), f"byte {error.start}", "", "must be UTF-8")]) from None
