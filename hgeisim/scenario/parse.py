"""Reading a scenario file table by table, so that a mistake in one does not hide others."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from copy import deepcopy
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from hgeisim.errors import Problem
from hgeisim.machine.topology import Topology
from hgeisim.scenario.messages import problem_of, show, unknown_key
from hgeisim.scenario.schema import TABLES, Kind
from hgeisim.scenario.table import Table

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]").search
"""Finds characters that a terminal would obey; a text may have tabs and line ends."""

T = TypeVar("T", bound=Table)

TEXTS = ("title", "look_at", "no_lines")
FLAGS = ("survey",)
KEYS = (*TEXTS, *FLAGS, *TABLES)
"""The keys of a scenario file, in the order in which it is printed."""


class Draft:
    """The tables of a file, None for one that could not be read, and the problems so far.

    `topology` is None until the machine is known.
    """

    def __init__(self, raw: dict[str, Any], file: str) -> None:
        self.raw, self.file = raw, file
        self.problems = [unknown_key(file, k, v, KEYS) for k, v in raw.items() if k not in KEYS]
        self.parts: dict[str, Any] = {key: self._text(key) for key in TEXTS}
        self.parts |= {key: self._flag(key) for key in FLAGS}
        self.parts |= {key: self._part(key, kind) for key, kind in TABLES.items()}
        self.topology: Topology | None = None

    def __getattr__(self, key: str) -> Any:
        """The content of a key; None for a table that could not be read."""
        try:
            return self.__dict__["parts"][key]
        except KeyError:
            raise AttributeError(key) from None

    def _part(self, key: str, kind: Kind) -> Any:
        if kind.many:
            return self._tables(key, kind.model)
        if kind.optional and key not in self.raw:
            return None
        return self._table(key, kind.model, required=kind.required)

    def names(self, key: str) -> list[tuple[str, str]]:
        """The place and the name of each table under a key, also if its other keys are wrong."""
        entries = self.raw.get(key)
        tables = enumerate(entries if isinstance(entries, list) else [])
        found = [(at, table.get("name")) for at, table in tables if isinstance(table, dict)]
        return [(f"{key}[{at}]", name) for at, name in found if isinstance(name, str)]

    def _text(self, key: str) -> str:
        value = self.raw.get(key, "")
        allowed = "must be text without control characters"
        if isinstance(value, str) and not _CONTROL(value):
            if value.strip() or key not in self.raw or key != "no_lines":
                return value  # only the reason for handing out no line must not be empty
            allowed = "must give the reason, or be left out"
        self.problems.append(Problem(self.file, key, show(value), allowed))
        return ""

    def _flag(self, key: str) -> bool:
        value = self.raw.get(key, False)
        if isinstance(value, bool):
            return value
        self.problems.append(Problem(self.file, key, show(value), "must be true or false"))
        return False

    def _table(self, key: str, model: type[T], *, required: bool = False) -> T | None:
        if required and key not in self.raw:
            self.problems.append(Problem(self.file, key, "", f"is missing; write a table [{key}]"))
            return None
        return self._valid(model, self.raw.get(key, {}), key)

    def _tables(self, key: str, model: type[T]) -> list[T | None]:
        entries = self.raw.get(key, [])
        if not isinstance(entries, list):
            allowed = f"must be a list of tables, each under the line [[{key}]]"
            self.problems.append(Problem(self.file, key, show(entries), allowed))
            return []
        return [self._valid(model, entry, f"{key}[{i}]") for i, entry in enumerate(entries)]

    def _valid(self, model: type[T], data: Any, place: str) -> T | None:
        """The table; also if its only mistakes are unknown keys, so that the rest is checked."""
        table, mistakes = _validate(model, data)
        if any(mistake["type"] == "extra_forbidden" for mistake in mistakes):
            table, hidden = _validate(model, _without_unknown_keys(data, mistakes))
            mistakes += [mistake for mistake in hidden if mistake["type"] == "value_error"]
        problems = [problem_of(mistake, model, self.file, place) for mistake in mistakes]
        self.problems += dict.fromkeys(problems)
        return table


def _validate(model: type[T], data: Any) -> tuple[T | None, list[ErrorDetails]]:
    try:
        return model.model_validate(data), []
    except ValidationError as error:
        return None, _first_causes(error.errors(include_url=False))


def present(key: str, tables: Sequence[T | None]) -> Iterator[tuple[str, T]]:
    """The readable tables, each with its place in the file (`vm[0]`)."""
    return ((f"{key}[{i}]", table) for i, table in enumerate(tables) if table is not None)


def _first_causes(mistakes: list[ErrorDetails]) -> list[ErrorDetails]:
    """The mistakes without complaints about a list that is too short because its entries failed."""
    places = [mistake["loc"] for mistake in mistakes]
    inside = [any(len(p) > len(loc) and p[: len(loc)] == loc for p in places) for loc in places]
    return [mistake for mistake, is_outer in zip(mistakes, inside, strict=True) if not is_outer]


def _without_unknown_keys(data: Any, mistakes: list[ErrorDetails]) -> Any:
    rest = deepcopy(data)
    for mistake in mistakes:
        if mistake["type"] == "extra_forbidden":
            _remove(rest, mistake["loc"])
    return rest


def _remove(data: Any, loc: tuple[int | str, ...]) -> None:
    *parents, last = loc
    for part in parents:
        if isinstance(data, dict) and part not in data:
            continue  # the kind of a distribution, which is not a key
        data = data[part]
    data.pop(last, None)
