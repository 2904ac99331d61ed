"""A file or a folder of texts is put into its place whole or not at all, whatever happens.

It is made in a workshop, a folder beside the place, and then renamed to the place; the older one
stays there until then.

    out/.hgeisim-x7k2/new/NAME   the one that is being made
    out/.hgeisim-x7k2/old/NAME   the older one of out/NAME, for the moment between two renames

The maker of a workshop holds a lock on it, which the system drops when the maker dies, however it
dies. So a workshop without a lock is a dead one: the next command brings back the older folder and
removes the rest. A living one is left alone.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import signal
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import copymode, rmtree
from tempfile import mkdtemp

from hgeisim.errors import InputError, Problem

NEW, OLD = "new", "old"
_PREFIX = ".hgeisim-"
_IS_WORKSHOP = re.compile(r"\.hgeisim-[a-z0-9_]{8}").fullmatch


def is_workshop(folder: Path) -> bool:
    """Whether a folder is a workshop: by its name, its owner and its content.

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
    """Put right the workshops that killed processes left in `folder`: all is as it was."""
    for left in _workshops(folder):
        with suppress(OSError), _lock_of_the_dead(left):
            if _brought_back(left, folder):
                rmtree(left)


def _brought_back(left: Path, folder: Path) -> bool:
    """Bring back the folder that was moved away; False when that would take another's place, or it
    is not a folder of ours."""
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
    """Whether it is a folder, not a link to one, of the user that we run as."""
    try:
        info = path.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(info.st_mode) and info.st_uid == os.geteuid()


def _names(folder: Path) -> list[str]:
    """The names in a folder; none when it cannot be read."""
    try:
        return sorted(entry.name for entry in folder.iterdir())
    except OSError:
        return []


UNCHANGED = "nothing was changed"
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Signals that end a command."""


def why_not_writable(place: Path) -> str:
    """The reason why nothing can be made at `place`; empty if, as far as can be seen, it can.

    This only looks, so that a long run does not end with "permission denied".
    """
    try:
        whole = place.resolve()
    except RuntimeError:  # what Python 3.11 says of a loop
        return "its symbolic links lead nowhere"
    except (OSError, ValueError) as error:
        return reason_of(error)
    parents = [whole.parent, *whole.parents]
    there = next(parent for parent in parents if os.path.lexists(parent))
    if not there.is_dir():
        return f"{there} is not a folder"
    return "" if os.access(there, os.W_OK | os.X_OK) else f"no permission to write in {there}"


def put_folder(place: Path, files: Mapping[str, str]) -> None:
    """Write texts by file name into a folder at `place`, in place of the folder that is there.

    If anything goes wrong, or interrupts it, all is as it was.  InputError gives the reason.
    """
    with _as_input_error(place):
        _put_folder(place.resolve(), files)


def put_file(path: Path, content: str | bytes) -> None:
    """Write a file, in place of the one that is there, with its permissions.

    If anything goes wrong, or interrupts it, all is as it was.  InputError gives the reason.
    """
    with _as_input_error(path):
        place = path.resolve()
        if place.exists() and not place.is_file():
            write_file(place, content)  # a terminal, a pipe: it has no old content
            return
        with workshop(place.parent) as beside:
            new, _ = _rooms(beside, place)
            write_file(new, content)
            _take_permissions(place, new)
            new.replace(place)


def put_new_file(path: Path, content: bytes) -> None:
    """Write a file where there is none, whole or not at all; one that another process has put there
    meanwhile stays.  InputError gives the reason."""
    with _as_input_error(path), workshop(path.resolve().parent) as beside:
        new, _ = _rooms(beside, path)
        write_file(new, content)
        try:
            path.hardlink_to(new)
        except FileExistsError:
            pass
        except OSError:  # a disk without links
            new.replace(path)


def write_file(path: Path, content: str | bytes) -> None:
    """Write one file, the same on every system; text that is not UTF-8 is written as escapes."""
    data = content.encode(errors="backslashreplace") if isinstance(content, str) else content
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        if path.is_file():
            os.fsync(file.fileno())  # or a power failure after the renaming leaves an empty file


def _put_folder(place: Path, files: Mapping[str, str]) -> None:
    with _parents_of(place), workshop(place.parent) as beside:
        new, old = _rooms(beside, place)
        new.mkdir()
        for name, text in files.items():
            write_file(new / name, text)
        with undisturbed():
            _exchange(place, new, old)


def reason_of(error: Exception) -> str:
    """The reason in the words of the system."""
    return getattr(error, "strerror", None) or str(error)


def _rooms(beside: Path, place: Path) -> tuple[Path, Path]:
    """Where the new one is made, and where the old one waits, inside a workshop."""
    for room in (NEW, OLD):
        Path(beside, room).mkdir()
    return Path(beside, NEW, place.name), Path(beside, OLD, place.name)


def _take_permissions(place: Path, new: Path) -> None:
    """Give the new file the permissions of the old one; PermissionError when it may not go."""
    if place.exists():
        if not os.access(place, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        copymode(place, new)


@contextmanager
def _as_input_error(place: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, RuntimeError) as error:
        reason = f"cannot be written: {reason_of(error)}"
        raise InputError([Problem(str(place), "", "", reason, UNCHANGED)]) from None


@contextmanager
def undisturbed() -> Iterator[None]:
    """Let the signals that end a command wait until this is over; it must be short."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _exchange(place: Path, new: Path, old: Path) -> None:
    """Rename old and new: the only moment at which anything changes."""
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
