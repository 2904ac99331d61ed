"""A folder beside a place, where something new is made before it is renamed to the place.

    out/.hgeisim-x7k2/new/NAME   what is being made
    out/.hgeisim-x7k2/old/NAME   what stood at out/NAME, for the moment between two renames

Its maker holds a lock on it, which the system drops when the maker dies, however it dies. So a
workshop without a lock is a dead one: whoever comes next brings back what was moved away and
removes the rest. A living one is left alone.
"""

from __future__ import annotations

import fcntl
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

NEW, OLD = "new", "old"
_PREFIX = ".hgeisim-"
_IS_WORKSHOP = re.compile(r"\.hgeisim-[a-z0-9_]{8}").fullmatch


def is_workshop(folder: Path) -> bool:
    """Whether a folder is one of ours: by its name, its owner and what it holds.

    One may come with a folder that somebody sent, so a link is never followed.
    """
    if not (_IS_WORKSHOP(folder.name) and _is_our_folder(folder)):
        return False
    rooms = _names(folder)
    return set(rooms) <= {NEW, OLD} and all(_is_our_folder(folder / room) for room in rooms)


@contextmanager
def workshop(folder: Path) -> Iterator[Path]:
    """Make a workshop in `folder`, so on the same disk; at the end it is gone."""
    recover(folder)
    made, lock = _locked(folder)
    try:
        yield made
    finally:
        rmtree(made, ignore_errors=True)
        os.close(lock)


def recover(folder: Path) -> None:
    """Put right what a killed process left in `folder`: all of its places are as they were."""
    for left in _workshops(folder):
        with suppress(OSError), _lock_of_the_dead(left):
            if _brought_back(left, folder):
                rmtree(left)


def _brought_back(left: Path, folder: Path) -> bool:
    """Bring back the folder that was moved away; False when that would take another's place, or it
    is something that we do not move away."""
    for name in _names(left / OLD):
        if os.path.lexists(left / NEW / name):  # or else the new one is in its place
            if os.path.lexists(folder / name) or not _is_our_folder(left / OLD / name):
                return False
            (left / OLD / name).rename(folder / name)
    return True


def _locked(folder: Path) -> tuple[Path, int]:
    """A new workshop with its lock; another process may take it for a dead one in between."""
    while True:
        made = Path(mkdtemp(prefix=_PREFIX, dir=folder))
        with suppress(FileNotFoundError):
            lock = os.open(made, os.O_RDONLY)
            with suppress(OSError):  # there are disks without locks: then nobody can see it is dead
                fcntl.flock(lock, fcntl.LOCK_EX)
            if made.exists():
                return made, lock
            os.close(lock)


@contextmanager
def _lock_of_the_dead(left: Path) -> Iterator[None]:
    """Lock a workshop; OSError when its maker is alive, unless it is between its two renames: that
    is worth waiting for."""
    lock = os.open(left, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        patience = 0 if _names(left / OLD) else fcntl.LOCK_NB
        fcntl.flock(lock, fcntl.LOCK_EX | patience)
        yield
    finally:
        os.close(lock)


def _workshops(folder: Path) -> list[Path]:
    return [folder / name for name in _names(folder) if is_workshop(folder / name)]


def _is_our_folder(path: Path) -> bool:
    """Whether it is a folder, no link to one, of the user that we run as."""
    try:
        info = path.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(info.st_mode) and info.st_uid == os.geteuid()


def _names(folder: Path) -> list[str]:
    """What a folder holds; nothing when it cannot be read."""
    try:
        return sorted(entry.name for entry in folder.iterdir())
    except OSError:
        return []
