"""A user's own patch: `--variant v7.1+path/to/file.py:Name`.

The file is Python and is executed.  `Name` is a class that derives from one of the classes of
`hgeisim.kernel`, as those in `hgeisim/kernel/variants/` do, and overrides what the patch changes.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

from hgeisim.errors import InputError, Problem
from hgeisim.user_file import is_file, read_bytes

REMEDY = "see docs/own-patch.md"
_executed: list[Path] = []


def known_variant(name: str) -> str | None:
    """Make the patches known that a variant names by file; say what is wrong with it, or None.

    Raises `InputError` when a file cannot be used.
    """
    from hgeisim.kernel.variants import variant_problem  # noqa: PLC0415 - late, for a quick --help

    for part in name.split("+")[1:]:
        if part.partition(":")[0].endswith(".py"):
            _add(part)
    return variant_problem(name)


def _add(part: str) -> None:
    from hgeisim.kernel.state import Kernel  # noqa: PLC0415
    from hgeisim.kernel.variants import OWN  # noqa: PLC0415

    file, _, name = part.partition(":")
    found = getattr(_execute(file), name, None) if name else None
    if not (isinstance(found, type) and issubclass(found, Kernel)):
        allowed = "must name a class of that file which derives from one of hgeisim.kernel's"
        raise InputError([Problem(file, "class", repr(name), allowed, REMEDY)])
    OWN[part] = found


def _execute(file: str) -> ModuleType:
    path = Path(file)
    if not is_file(path):
        raise InputError([Problem(file, "", "", "there is no such file", REMEDY)])
    read_bytes(path)
    spec = importlib.util.spec_from_file_location(f"own_patch_{path.stem}", path)
    assert spec is not None, "a .py file has a spec"
    assert spec.loader is not None, "a .py file has a loader"
    module = importlib.util.module_from_spec(spec)
    _executed.append(path)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # noqa: BLE001 - whatever the user's code raises
        raise InputError([_problem(error, path)]) from None
    return module


def mistake(error: Exception) -> Problem | None:
    """What is wrong with a user's patch, when an error came up in it or in what it calls."""
    return next((_problem(error, path) for path in _executed if _line(error, path)), None)


def _problem(error: Exception, path: Path) -> Problem:
    told = f"{type(error).__name__}: {error}"
    return Problem(str(path), f"line {_line(error, path)}", "", told, REMEDY)


def _line(error: BaseException, path: Path) -> int:
    """The last line of the file that had a part in an error."""
    line, trace = getattr(error, "lineno", None) or 0, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return int(line)
