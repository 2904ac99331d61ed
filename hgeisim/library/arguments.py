"""Arguments of the library: mistakes in them, and options by keyword."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from hgeisim.errors import ArgumentProblem, InputError, did_you_mean


def wrong(place: tuple[str, str], value: str, allowed: str, remedy: str = "") -> InputError:
    """The error about an argument; `place` is the function and the name of the argument."""
    return InputError([ArgumentProblem(*place, value, allowed, remedy)])


def check_names(function: str, given: Mapping[str, Any], known: Collection[str]) -> None:
    """Refuse, by InputError, keyword arguments that a function does not have."""
    allowed = f"is not an argument; there are {', '.join(known)}"
    problems = [
        ArgumentProblem(function, name, str(value), allowed, did_you_mean(name, known))
        for name, value in given.items()
        if name not in known
    ]
    if problems:
        raise InputError(problems)
