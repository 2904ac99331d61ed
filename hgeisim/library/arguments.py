"""Arguments of the library: mistakes in them, and options by keyword."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from hgeisim.errors import ArgumentProblem, InputError, did_you_mean


def wrong(place: tuple[str, str], value: str, allowed: str, remedy: str = "") -> InputError:
    """The error about an argument; `place` is the function and the name of the argument."""
    return InputError([ArgumentProblem(*place, value, allowed, remedy)])


def check_races(function: str, variant: str, races: bool) -> None:
    """Refuse to look for data races in a variant with objects: whether C has marked an access, its
    object does not say."""
    if races and any(part.startswith("object:") for part in variant.split("+")):
        allowed = "cannot be looked for in objects, which do not say what C has marked"
        raise wrong((function, "races"), "true", allowed, "look for them in the model alone")


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
