"""An axis of a sweep: a key as `-s` takes it, and its values: `vm.web.vcpus=8,16,32`.

`1..7` are whole numbers, both ends included; `8..64..8` are every eighth.  Ranges and single values
may stand in one list, and no shell changes any of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from hgeisim.errors import InputError, Problem
from hgeisim.scenario.load import COMMAND_LINE, parse_value, setting
from hgeisim.scenario.messages import show

VALUES_MAX = 10_000
LENGTH_MAX = 20_000
_RANGE = re.compile(r"(-?\d{1,18})\.\.(-?\d{1,18})(?:\.\.(\d{1,18}))?")
_COMMA = re.compile(r",(?![^\[{]*[\]}])")
"""A comma that is not inside a list or a table."""


@dataclass(frozen=True)
class Axis:
    """A key, and the values that it takes."""

    key: str
    values: tuple[Any, ...]


def parse_axis(text: str, option: str = "-x") -> Axis:
    """Read `KEY=VALUES`.  InputError: it has another form, or a range is empty."""
    if len(text) > LENGTH_MAX:
        allowed = f"must have at most {LENGTH_MAX} letters"
        raise InputError([Problem(COMMAND_LINE, option, show(text), allowed)])
    key, equals, values = text.partition("=")
    key = key.strip()
    if not equals or not key or not values.strip():
        allowed = (
            "must be KEY=VALUES, such as vm.web.vcpus=8,16,32 or machine.harts.0.guest_files=1..7"
        )
        raise InputError([Problem(COMMAND_LINE, option, show(text), allowed)])
    setting(key, values)
    found = [each for word in _COMMA.split(values) for each in _values(word.strip(), key, option)]
    kept = [value for at, value in enumerate(found) if value not in found[:at]]
    return Axis(key, tuple(kept))


def _values(word: str, key: str, option: str) -> list[Any]:
    match = _RANGE.fullmatch(word)
    if match is None:
        if not word:
            raise _wrong(option, key, word, "has an empty value between two commas")
        return [parse_value(word)]
    low, high, step = int(match[1]), int(match[2]), int(match[3] or 1)
    if low > high:
        raise _wrong(option, key, word, f"is an empty range: {low} is more than {high}")
    if not step:
        raise _wrong(option, key, word, "must have a step of 1 or more")
    if (high - low) // step >= VALUES_MAX:
        raise _wrong(option, key, word, f"must have at most {VALUES_MAX} values")
    return list(range(low, high + 1, step))


def _wrong(option: str, key: str, word: str, allowed: str) -> InputError:
    return InputError([Problem(COMMAND_LINE, f"{option} {key}", word, allowed)])
