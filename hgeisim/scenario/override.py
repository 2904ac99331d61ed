"""What the command line says instead of a scenario file: `-s vm.web.vcpus=4`, `--until 5ms`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from hgeisim.document import toml_of
from hgeisim.errors import InputError, Problem
from hgeisim.scenario.draft import KEYS
from hgeisim.scenario.mistakes import did_you_mean, show
from hgeisim.scenario.schema import TABLES
from hgeisim.scenario.table import Table

COMMAND_LINE = "command line"
SINGLE: dict[str, type[Table]] = {k: kind.model for k, kind in TABLES.items() if not kind.many}
"""The tables that a file has once."""
_KEY = re.compile(r"[A-Za-z0-9_/-]+(?:\.[A-Za-z0-9_/-]+|\[\d{1,5}\])*")


@dataclass(frozen=True)
class Override:
    """A value, and the place of the file that it is for: keys, numbers of entries, names of them.

    `option` is how the user wrote the place.
    """

    option: str
    path: tuple[str | int, ...]
    value: Any


def parse_setting(text: str) -> Override:
    """Read `KEY=VALUE`, see `parse_value`; InputError when it has no such form."""
    key, equals, value = text.partition("=")
    key = key.strip()
    if not equals or not _KEY.fullmatch(key):
        allowed = "must be KEY=VALUE, such as run.until=5ms, vm.web.vcpus=4 or 'hotplug[0].hart=1'"
        raise InputError([Problem(COMMAND_LINE, "-s", show(text), allowed)])
    parts = re.findall(r"[^.\[\]]+|\[\d+\]", key)
    path = tuple(int(part[1:-1]) if part.startswith("[") else part for part in parts)
    return Override(f"-s {key}", path, parse_value(value.strip()))


def parse_value(text: str) -> Any:
    """Read a value as TOML would; what is none (`5ms`, `auto`) is text."""
    try:
        document = toml_of(f"value = {text}", COMMAND_LINE)
    except InputError:
        return text
    return document["value"] if document.keys() == {"value"} else text


def put(raw: dict[str, Any], override: Override) -> str:
    """Put a value at its place of the document; returns how problems call the place (`vm[0].run`).

    InputError when there is no such place; whether the last key is known is not looked at.
    """
    first, *rest = override.path
    if first not in KEYS:
        raise InputError([_no_such_key(raw, override)])
    node: Any = raw
    where = str(first)
    key: str | int = str(first)
    for part in rest:
        if isinstance(node, dict):
            node.setdefault(key, [] if isinstance(part, int) else {})
        node = node[key]
        key = _key_in(node, part, override)
        where += f"[{key}]" if isinstance(key, int) else f".{key}"
    node[key] = override.value
    return where


def _key_in(node: Any, part: str | int, override: Override) -> str | int:
    """The key, or the number of the entry, that a part of the path means inside a value."""
    if isinstance(node, dict) and isinstance(part, str):
        return part
    if not isinstance(node, list):
        raise _problem(override, f"there is no {show(part)} inside of {show(node)}")
    if isinstance(part, int):
        if part < len(node):
            return part
        raise _problem(override, f"there is no entry {part}; {len(node)} are there, from 0 on")
    names = [entry.get("name") if isinstance(entry, dict) else None for entry in node]
    if part in names:
        return names.index(part)
    known = [name for name in names if isinstance(name, str)]
    allowed = f"{show(part)} must be the name of an entry: {', '.join(known) or 'none has one'}"
    raise _problem(override, allowed, did_you_mean(part, known))


def _problem(override: Override, allowed: str, remedy: str = "") -> InputError:
    place = Problem(COMMAND_LINE, override.option, show(override.value), allowed, remedy)
    return InputError([place])


def _no_such_key(raw: dict[str, Any], override: Override) -> Problem:
    known = list(dict.fromkeys([*places(raw), *KEYS]))
    last, text = str(override.path[-1]), override.option.removeprefix("-s ")
    same = [place for place in known if place.rpartition(".")[2] == last]
    remedy = f"did you mean {same[0]}?" if same else did_you_mean(text, known)
    allowed = "is no key of a scenario"
    if not remedy:
        allowed += f"; they begin with {', '.join(KEYS)}"
    return Problem(COMMAND_LINE, override.option, show(override.value), allowed, remedy)


def places(raw: dict[str, Any]) -> Iterator[str]:
    """Places that a scenario has: keys of its tables, those with defaults too, and of its lists."""
    for key, table in SINGLE.items():
        yield from (f"{key}.{name}" for name in table.model_fields)
    for key, entries in raw.items():
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, dict) and isinstance(entry.get("name"), str):
                yield from (f"{key}.{entry['name']}.{name}" for name in entry)


def blame(problem: Problem, placed: dict[str, Override]) -> Problem:
    """Tell a problem at an overridden place as one of the command line; `placed` says which one
    stands where."""
    for place, override in placed.items():
        rest = problem.where.removeprefix(place)
        if problem.where.startswith(place) and rest[:1] in ("", ".", "["):
            return replace(problem, file=COMMAND_LINE, where=override.option + rest)
    return problem
