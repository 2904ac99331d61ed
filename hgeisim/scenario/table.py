"""Tables of a scenario file: their common base, the types of their values, and their TOML text.

Every time has a unit: "800ns", "1.5us", "20ms", "2s".  The `description` of a field completes the
sentence "must be ..." in messages to the user.  The standard library only reads TOML, so tables are
written here.
"""

from __future__ import annotations

import json
import re
from fractions import Fraction
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from hgeisim.errors import quoted

UNIT_NS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
"""Nanoseconds in each unit, the largest first."""
DURATION_NS_MAX = 10**16
"""The longest time, about 115 days; a record of the occupancy has room for three of them."""
EXAMPLES = '"800ns", "1.5us", "20ms" or "2s"'
_PATTERN = re.compile(r"(-?)(\d{1,18}(?:\.\d{1,18})?) ?([a-zA-Zµ]*)", re.ASCII)


def parse_duration(text: object) -> int:
    """The nanoseconds of a time such as "1.5us"; ValueError says what is allowed instead."""
    match = _PATTERN.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f"must be a time with a unit, such as {EXAMPLES}")
    sign, number, unit = match.groups()
    if unit not in UNIT_NS:
        raise ValueError(f"must have a unit, one of ns, us, ms and s, such as {EXAMPLES}")
    value = Fraction(number) * UNIT_NS[unit]
    if sign or value > DURATION_NS_MAX:
        raise ValueError(f'must be between "0ns" and "{format_duration(DURATION_NS_MAX)}"')
    if value.denominator != 1:
        raise ValueError("must be a whole number of nanoseconds")
    return int(value)


def format_duration(value_ns: int) -> str:
    """A time with the largest unit that needs no fraction; `parse_duration` reads it back."""
    unit = next(
        unit for unit, ns in UNIT_NS.items() if value_ns % ns == 0 and (value_ns or ns == 1)
    )
    return f"{value_ns // UNIT_NS[unit]}{unit}"


class Table(BaseModel):
    """A table of a scenario file, with exact types and no unknown keys, immutable once loaded."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


Duration = Annotated[
    int,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration),
    Field(description=f"a time with a unit, such as {EXAMPLES}"),
]
"""A time: text with a unit in the file, integer nanoseconds in the program."""

Name = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        max_length=40,
        description='a name of at most 40 letters, digits, ".", "_" and "-"',
    ),
]
"""The name of a VM or of a vCPU."""

TaskName = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]*$",
        max_length=40,
        description='a name of at most 40 letters, digits, ".", "_", "-" and "/"',
    ),
]
"""The name of a task; kernel threads have names such as `cpuhp/0`."""

HartNumber = Annotated[int, Field(ge=0, description="the number of a HART, counted from 0")]
"""The number of a HART, which is also its CPU number."""


def toml_value(value: Any) -> str:
    """A value on one line: a number, a string, a truth value, a list or an inline table."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml_value(v)}" for key, v in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml_value, value)) + "]"
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, bool | int | float):
        return json.dumps(value)  # JSON and TOML agree on numbers and truth values
    return str(value)  # a date or a time, which no scenario holds but a user may write


def toml_text(content: dict[str, Any]) -> str:
    """The TOML text of a document of plain values, tables and lists of tables."""
    plain = {k: v for k, v in content.items() if not isinstance(v, dict | list)}
    blocks = [_lines(plain)] if plain else []
    for key, value in content.items():
        if isinstance(value, dict):
            blocks.append(f"[{key}]\n{_lines(value)}")
        elif isinstance(value, list):
            blocks += [f"[[{key}]]\n{_lines(table)}" for table in value]
    return "\n".join(blocks)


def _lines(table: dict[str, Any]) -> str:
    return "".join(f"{key} = {toml_value(value)}\n" for key, value in table.items())
