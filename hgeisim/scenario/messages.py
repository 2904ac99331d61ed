"""From pydantic's errors to Problems, with the key as written, the allowed values and a remedy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from hgeisim.errors import Problem, did_you_mean
from hgeisim.scenario.table import Table, toml_value
from hgeisim.scenario.timing import KINDS

VALUE_LENGTH_MAX = 60


def show(value: object) -> str:
    """A value as a TOML file has it, on one line, and cut if it is long."""
    text = toml_value(value)
    return text if len(text) <= VALUE_LENGTH_MAX else text[: VALUE_LENGTH_MAX - 3] + "..."


def unknown_key(file: str, where: str, value: object, keys: Iterable[str]) -> Problem:
    """The Problem of a key that does not exist; `keys` are the ones that do."""
    known = list(keys)
    allowed = f"is not a key here; the keys are {', '.join(known)}"
    remedy = did_you_mean(where.rpartition(".")[2], known)
    return Problem(file, where, show(value), allowed, remedy)


def problem_of(error: ErrorDetails, model: type[Table], file: str, place: str) -> Problem:
    """The Problem of one pydantic error in a table of class `model` that stands at `place`.

    A ValueError of a validator has the allowed values as its argument, and maybe a remedy.
    """
    table, field, where = _find(model, error["loc"], place)
    kind, value = error["type"], error["input"]
    if kind == "extra_forbidden":
        return unknown_key(file, where, value, table.model_fields)
    if kind == "missing":
        return Problem(file, where, "", f"is missing; it must be {_description(field)}")
    if kind == "value_error":
        return Problem(file, where, show(value), *error["ctx"]["error"].args)
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        return _unknown_distribution(file, where, value)
    annotation = field.annotation if field else None
    choices = get_args(annotation) if get_origin(annotation) is Literal else ()
    remedy = did_you_mean(value, choices) if kind == "literal_error" else ""
    of_entry = any(isinstance(part, int) for part in error["loc"][-1:])
    wanted = _description(field, of_entry=of_entry)
    return Problem(file, where, show(value), f"must be {wanted}", remedy)


def _find(
    model: type[Table], loc: tuple[int | str, ...], place: str
) -> tuple[type[Table], FieldInfo | None, str]:
    """The table class and the field that a location means, and the key as the user wrote it."""
    table, field, where = model, None, place
    for part in loc:
        if isinstance(part, int):
            where += f"[{part}]"
        elif part in KINDS and table in KINDS.values():
            table = KINDS[part]  # the kind of a distribution, which is not a key
        else:
            where += f".{part}" if where else part
            field = table.model_fields.get(part)
            table = _table_in(field.annotation, table) if field else table
    return table, field, where


def _table_in(annotation: Any, default: type[Table]) -> type[Table]:
    """The first table class inside an annotation such as `tuple[HartGroup, ...] | None`."""
    if isinstance(annotation, type) and get_origin(annotation) is None:
        return annotation if issubclass(annotation, Table) else default
    for argument in get_args(annotation):
        found = _table_in(argument, default)
        if found is not default:
            return found
    return default


def _unknown_distribution(file: str, where: str, value: object) -> Problem:
    given = value.get("distribution", "") if isinstance(value, dict) else value
    allowed = f"must be one of {', '.join(map(show, KINDS))}"
    remedy = did_you_mean(given, KINDS)
    return Problem(file, f"{where}.distribution", show(given) if given else "", allowed, remedy)


def _description(field: FieldInfo | None, *, of_entry: bool = False) -> str:
    """The allowed values of a field, or of an entry of a list; a type may say them as well."""
    if field is None:
        return "a table"
    inside = next(_descriptions(field.annotation), None)
    own = field.description
    return (inside or own if of_entry else own or inside) or "a table"


def _descriptions(annotation: Any) -> Iterator[str]:
    """The descriptions of the types inside an annotation."""
    for said in getattr(annotation, "__metadata__", ()):
        if isinstance(said, FieldInfo) and said.description:
            yield said.description
    for argument in get_args(annotation):
        yield from _descriptions(argument)
