"""Scenario files: their places, and the TOML in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hgeisim.document import toml_of
from hgeisim.errors import InputError, Problem, did_you_mean
from hgeisim.user_file import read_text

BUILT_IN = Path(__file__).parents[1] / "scenarios"
"""The folder of the scenarios that come with hgeisim; in a checkout, a link to scenarios/."""


def built_in_names() -> list[str]:
    """The names of the scenarios that come with hgeisim, in alphabetical order."""
    return sorted(path.stem for path in BUILT_IN.glob("*.toml"))


def surveyed_names() -> list[str]:
    """The names of the scenarios with `survey = true`, which together exercise all locking."""
    return [name for name in built_in_names() if read_toml(locate(name)).get("survey") is True]


def is_bare_name(name: str) -> bool:
    """Whether a name can be that of a built-in scenario: it has neither a suffix nor a folder."""
    return bool(name) and Path(name).name == name and not Path(name).suffix


def locate(name_or_path: str | Path) -> Path:
    """The path of a scenario: of the file itself, or of a built-in one by its bare name."""
    name = str(name_or_path)
    if isinstance(name_or_path, Path) or not is_bare_name(name):
        return Path(name_or_path)
    names = built_in_names()
    if name in names:
        return BUILT_IN / f"{name}.toml"
    remedy = did_you_mean(name, names) or "a file of your own needs its suffix .toml"
    allowed = "is not a built-in scenario; `hgeisim scenario list` shows their names"
    raise InputError([Problem(name, "", "", allowed, remedy)])


def display_name(path: Path) -> str:
    """The name of a scenario file in messages: as the user wrote it, a built-in one without its
    folder."""
    return path.name if path.parent == BUILT_IN else str(path)


def read_toml(path: Path) -> dict[str, Any]:
    """The keys and values of a TOML file; InputError names the line that is not TOML."""
    file = display_name(path)
    return toml_of(read_text(path, file), file)
