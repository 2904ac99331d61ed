"""TOML and JSON as plain data, not nested too deep and without numbers too long to print."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from typing import Any

from hgeisim.errors import InputError, Problem

NESTING_MAX = 64
"""How deep tables and lists may be nested, the document itself included."""
DIGITS_MAX = 1000
"""How many digits a whole number may have."""
_BITS_MAX = 3300
"""The same limit in bits."""
_LONG_NUMBER = re.compile(rf"(?<![0-9_])[0-9](?:_?[0-9]){{{DIGITS_MAX},}}+").search
_KEY_PART = r"""(?:[\w-]++|"(?:[^"\\\n]|\\.)*+"|'[^'\n]*+')[ \t]*+"""
_DEEP_KEY = re.compile(rf"""(?<![\w"'-])(?:{_KEY_PART}\.[ \t]*+){{{NESTING_MAX}}}""").search
_TOO_DEEP = f"must be nested at most {NESTING_MAX} tables or lists deep"
_TWICE = ("Cannot overwrite", "Cannot mutate", "Cannot redefine")
"""The beginnings of the TOML reader's complaints about a key that is already there."""


def toml_of(text: str, file: str) -> dict[str, Any]:
    """Read TOML; InputError names the line."""
    deep = _DEEP_KEY(text)  # the reader's time grows with the square of the parts of a key
    if deep:
        raise InputError([Problem(file, _line(text, deep.start()), "", _TOO_DEEP)])
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError([_syntax_error(file, str(error))]) from None
    except (ValueError, RecursionError) as error:
        raise InputError([_beyond_bounds(file, text, error)]) from None
    _check(document, file)
    return document


def json_of(text: str, file: str) -> Any:
    """Read JSON; InputError names the line."""
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno} column {error.colno}"
        raise InputError([Problem(file, where, "", f"must be JSON: {error.msg}")]) from None
    except (ValueError, RecursionError) as error:
        raise InputError([_beyond_bounds(file, text, error)]) from None
    _check(document, file)
    return document


def _syntax_error(file: str, message: str) -> Problem:
    """The problem of a complaint such as "Invalid value (at line 3, column 5)"."""
    match = re.fullmatch(r"(.*) \(at (.*)\)", message, re.DOTALL)
    complaint, place = match.groups() if match else (message, "")
    hint = "a key or a table may occur only once" if complaint.startswith(_TWICE) else ""
    return Problem(file, place, "", f"must be TOML: {complaint}", hint)


def _beyond_bounds(file: str, text: str, error: Exception) -> Problem:
    """The problem of a text beyond a bound of Python: its stack, or the digits of a number."""
    if isinstance(error, RecursionError):
        return Problem(file, "", "", _TOO_DEEP)
    found = _LONG_NUMBER(text)
    if found is None:
        return Problem(file, "", "", f"cannot be read: {error}")
    allowed = f"must be a number of at most {DIGITS_MAX} digits; it has {len(found[0])}"
    return Problem(file, _line(text, found.start()), found[0], allowed)


def _check(document: Any, file: str) -> None:
    """Refuse values that Python reads but cannot print."""
    for value, depth in _values(document):
        if depth > NESTING_MAX and isinstance(value, dict | list):
            raise InputError([Problem(file, "", "", _TOO_DEEP)])
        if isinstance(value, int) and value.bit_length() > _BITS_MAX:
            shown = f"{value >> value.bit_length() - 64:#x}..."
            allowed = f"must be a number of at most {DIGITS_MAX} digits"
            raise InputError([Problem(file, "", shown, allowed)])


def _values(document: Any) -> Iterator[tuple[Any, int]]:
    """Every value with its depth, without recursion."""
    stack = [(document, 1)]
    while stack:
        value, depth = stack.pop()
        yield value, depth
        if isinstance(value, dict):
            stack.extend((each, depth + 1) for each in value.values())
        elif isinstance(value, list):
            stack.extend((each, depth + 1) for each in value)


def _line(text: str, at: int) -> str:
    return "line " + str(text.count("\n", 0, at) + 1)
