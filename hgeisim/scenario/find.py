"""Scenario files: where they are, and the TOML in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hgeisim.document import toml_of
from hgeisim.errors import InputError, Problem
from hgeisim.scenario.messages import did_you_mean
from hgeisim.user_file import read_text

BUILT_IN = Path(__file__).parents[1] / "scenarios"
"""Folder of the scenarios that come with hgeisim: in a checkout a link to the one at the top."""


def built_in_names() -> list[str]:
    """Names of the scenarios that come with hgeisim, in alphabetical order."""
    return sorted(path.stem for path in BUILT_IN.glob("*.toml"))


def surveyed_names() -> list[str]:
    """Names of those that say `survey = true`: between them they show all locking there is."""
    return [name for name in built_in_names() if read_toml(locate(name)).get("survey") is True]


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


def read_toml(path: Path) -> dict[str, Any]:
    """Keys and values of a TOML file; InputError names the line when it is not TOML."""
    file = display_name(path)
    return toml_of(read_text(path, file), file)
