"""Values and tables written as TOML, which the standard library only reads."""

from __future__ import annotations

import json
from typing import Any


def toml_value(value: Any) -> str:
    """Write a value on one line: a number, a string, a truth value, a list or an inline table."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml_value(v)}" for key, v in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml_value, value)) + "]"
    if not isinstance(value, str | bool | int | float):
        return str(value)  # a date or a time, which no scenario holds but a user may write
    # JSON and TOML agree on numbers and strings, but for the one character TOML wants escaped.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def toml_text(content: dict[str, Any]) -> str:
    """Write a document of plain values, tables and lists of tables."""
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
