"""Where scenario files are, and what TOML stands in them."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import hgeisim
from hgeisim.errors import InputError, Problem
from hgeisim.scenario.mistakes import did_you_mean

BUILT_IN = Path(hgeisim.__file__).parent / "scenarios"
"""Folder of the scenarios that come with hgeisim: in a checkout a link to the one at the top."""


def built_in_names() -> list[str]:
    """Names of the scenarios that come with hgeisim, in alphabetical order."""
    return sorted(path.stem for path in BUILT_IN.glob("*.toml"))


def is_bare_name(name: str) -> bool:
    """Whether `name` is a built-in scenario's name and not a path: no suffix, no folder."""
    return bool(name) and Path(name).name == name and not Path(name).suffix


def locate(name_or_path: str | Path) -> Path:
    """Path of a scenario: the file itself, or a built-in one by its bare name."""
    name = str(name_or_path)
    if isinstance(name_or_path, Path) or not is_bare_name(name):
        return Path(name_or_path)
    names = built_in_names()
    if name in names:
        return BUILT_IN / f"{name}.toml"
    remedy = did_you_mean(name, names) or "a file needs its suffix .toml"
    allowed = "is no built-in scenario; `hgeisim scenario list` names them"
    raise InputError([Problem(name, "", "", allowed, remedy)])


def display_name(path: Path) -> str:
    """How messages call a scenario file: as the user did, a built-in one without its folder."""
    return path.name if path.parent == BUILT_IN else str(path)


_TWICE = ("Cannot overwrite", "Cannot mutate", "Cannot redefine")
"""How complaints of the TOML reader begin that are about a key that is already there."""


def read_toml(path: Path) -> dict[str, Any]:
    """Keys and values of a TOML file; InputError names the line when it is not TOML."""
    file = display_name(path)
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        problem = Problem(file, "", "", f"cannot be read: {error.strerror or error}")
    except tomllib.TOMLDecodeError as error:
        problem = _syntax_error(file, str(error))
    except UnicodeDecodeError as error:
        line = f"line {error.object[: error.start].count(10) + 1}"
        problem = Problem(file, line, f"byte {error.object[error.start]:#04x}", "must be UTF-8")
    except (ValueError, RecursionError) as error:  # a huge number, a deep nest
        problem = Problem(file, "", "", f"must be a TOML file ({error})")
    raise InputError([problem])


def _syntax_error(file: str, message: str) -> Problem:
    """Split "Invalid value (at line 3, column 5)" into the place and the complaint."""
    match = re.fullmatch(r"(.*) \(at (.*)\)", message, re.DOTALL)
    complaint, place = match.groups() if match else (message, "")
    hint = "a key or table may stand there only once" if complaint.startswith(_TWICE) else ""
    return Problem(file, place, "", f"must be TOML: {complaint}", hint)
