"""Tables of records: numpy structured arrays, and the same as CSV."""

from __future__ import annotations

import re
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hgeisim.errors import Problem

Records: TypeAlias = NDArray[np.void]
"""A structured array: `records["hart"]` is a column, `records[0]` a record."""

PROBLEMS_MAX = 10
CELL_SHOWN = 40
_WHOLE = re.compile(r"-?[0-9]{1,18}").fullmatch


def dtype(**columns: str) -> np.dtype[np.void]:
    """Make the type of a record; a column is "int", "small" (32 bits) or "text"."""
    codes = {"int": "i8", "small": "i4", "text": "O"}
    made: np.dtype[np.void] = np.dtype([(name, codes[kind]) for name, kind in columns.items()])
    return made


def records(kind: np.dtype[np.void], *columns: Any) -> Records:
    """Make records out of their columns, in the order of their type."""
    names = kind.names or ()
    made = np.empty(len(columns[0]), kind)
    for name, column in zip(names, columns, strict=True):
        made[name] = column
    return made


def head_of(kind: np.dtype[np.void]) -> str:
    """The first line of the CSV."""
    return ",".join(kind.names or ())


def csv_of(table: Records) -> str:
    """Write a table as CSV; a text that may hold commas must be in the last column."""
    lines = (",".join(map(str, row)) for row in table.tolist())
    return "\n".join([head_of(table.dtype), *lines, ""])


def read_table(file: str, text: str, kind: np.dtype[np.void]) -> tuple[Records, list[Problem]]:
    """Read a CSV; `file` is its name in the problems, which tell each damaged line."""
    lines = text.split("\n")
    problems = []
    if lines[0] != head_of(kind):
        problems.append(Problem(file, "line 1", repr(lines[0]), f"must be '{head_of(kind)}'"))
    if lines[-1]:
        where, given = f"line {len(lines)}", repr(lines[-1])
        problems.append(Problem(file, where, given, "is cut short: it has no end of line"))
    rows = []
    for number, line in enumerate(lines[1:-1], start=2):
        if len(problems) >= PROBLEMS_MAX:
            problems.append(Problem(file, f"line {number}", "", "reading stopped here"))
            break
        try:
            rows.append(_row(line, kind))
        except ValueError as error:
            problems.append(Problem(file, f"line {number}", repr(line), str(error)))
    return np.array(rows if not problems else [], kind), problems


def _row(line: str, kind: np.dtype[np.void]) -> tuple[Any, ...]:
    names = kind.names or ()
    cells = line.split(",", len(names) - 1)
    if len(cells) != len(names):
        raise ValueError(f"must be {head_of(kind)}")
    return tuple(_value(cell, kind[name]) for cell, name in zip(cells, names, strict=True))


def _value(cell: str, kind: np.dtype[Any]) -> int | str:
    if kind.kind == "O":
        return cell
    if not _WHOLE(cell):
        raise ValueError(f"'{cell[:CELL_SHOWN]}' must be a whole number")
    if kind.itemsize == np.dtype("i4").itemsize and abs(int(cell)) >= 1 << 31:
        raise ValueError(f"{cell} is out of range")
    return int(cell)
