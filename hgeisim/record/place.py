"""Putting a folder of texts into its place: whole or not at all, also when it is interrupted."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Signals that end a command."""


def why_not_writable(place: Path) -> str:
    """Say why nothing can be made at `place`; an empty text when, for all one can tell, it can.

    Only a look, for a long run should not end with "permission denied".
    """
    try:
        whole = place.resolve()
    except RuntimeError:  # what Python 3.11 says of a loop
        return "its symbolic links lead nowhere"
    except OSError as error:
        return error.strerror or str(error)
    parents = [whole.parent, *whole.parents]
    there = next(parent for parent in parents if os.path.lexists(parent))
    if not there.is_dir():
        return f"{there} is no folder"
    return "" if os.access(there, os.W_OK | os.X_OK) else f"no permission to write in {there}"


def put(place: Path, files: Mapping[str, str]) -> None:
    """Write texts by file name into a folder at `place`, in place of the folder that is there.

    If anything goes wrong (OSError, an interruption), all is as it was.
    """
    with _parents_of(place), _beside(place) as beside:
        new, old = Path(beside, "new"), Path(beside, "old")
        new.mkdir()
        for name, text in files.items():
            write_file(new / name, text)
        with undisturbed():
            _exchange(place, new, old)


def write_file(path: Path, text: str) -> None:
    """Write one file of a folder, the same on every system."""
    path.write_text(text, encoding="utf-8", newline="\n")


@contextmanager
def undisturbed() -> Iterator[None]:
    """Let the signals that end a command wait until this is over; it must be short."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _exchange(place: Path, new: Path, old: Path) -> None:
    """Rename: the only moment that counts."""
    try:
        if place.exists():
            place.rename(old)
        new.rename(place)
    except BaseException:
        if old.exists() and not place.exists():
            old.rename(place)
        raise


@contextmanager
def _parents_of(place: Path) -> Iterator[None]:
    """Make the folders that a place lacks; if it comes to nothing, take them away again."""
    missing = [parent for parent in place.parents if not parent.exists()]
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        _remove_empty(missing)
        raise


def _remove_empty(folders: list[Path]) -> None:
    """Remove folders from the innermost on, as far as nothing is in them."""
    for folder in folders:
        try:
            folder.rmdir()
        except FileNotFoundError:
            continue
        except OSError:
            return


def _beside(place: Path) -> TemporaryDirectory[str]:
    """A folder beside the place, so on the same disk."""
    prefix = f".{place.name}."
    return TemporaryDirectory(prefix=prefix, dir=place.parent, ignore_cleanup_errors=True)
