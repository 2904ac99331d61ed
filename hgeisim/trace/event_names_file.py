"""A user's TOML file of other names for events and arguments; event_names.py shows an example."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hgeisim.errors import InputError, Problem, did_you_mean
from hgeisim.scenario.find import read_toml
from hgeisim.scenario.messages import show, unknown_key
from hgeisim.trace.event_names import MEANINGS, Events, columns_of


def load_events(path: Path) -> Events:
    """Read a table of names; InputError lists every mistake in it."""
    raw = read_toml(path)
    problems = [*_problems(str(path), raw), *_doubles(str(path), raw)]
    if problems:
        raise InputError(problems)
    names = {meaning: table["event"] for meaning, table in raw.items() if "event" in table}
    arguments = {
        meaning: {key: name for key, name in table.items() if key != "event"}
        for meaning, table in raw.items()
    }
    return Events(names, arguments)


def _problems(file: str, raw: dict[str, Any]) -> Iterator[Problem]:
    for meaning, table in raw.items():
        if meaning not in MEANINGS:
            allowed = f"is not a meaning; there are {', '.join(MEANINGS)}"
            yield Problem(file, f"[{meaning}]", "", allowed, did_you_mean(meaning, MEANINGS))
        elif not isinstance(table, dict):
            yield Problem(file, meaning, show(table), f"must be a table, under a line [{meaning}]")
        else:
            yield from _table_problems(file, meaning, table)


def _table_problems(file: str, meaning: str, table: dict[str, Any]) -> Iterator[Problem]:
    keys = ["event", *(column.name for column in columns_of(MEANINGS[meaning], {}))]
    for key, value in table.items():
        if key not in keys:
            yield unknown_key(file, f"{meaning}.{key}", value, keys)
        elif not isinstance(value, str) or not value or value.split() != [value]:
            yield Problem(file, f"{meaning}.{key}", show(value), "must be a name, one word")


def _doubles(file: str, raw: dict[str, Any]) -> Iterator[Problem]:
    """Two meanings cannot share an event: the trace would not say which one is meant."""
    tables = {meaning: table for meaning, table in raw.items() if isinstance(table, dict)}
    taken: dict[object, str] = {}
    for meaning in MEANINGS:
        event = str(tables.get(meaning, {}).get("event", meaning))
        if event in taken:
            allowed = f"is already the name of {taken[event]}"
            remedy = "give that one another name as well"
            yield Problem(file, f"{meaning}.event", show(event), allowed, remedy)
        taken[event] = meaning
