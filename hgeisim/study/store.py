"""The file of a sweep: one SQLite database, written by one process, whole at any moment.

    meta    what the sweep is about, by name
    runs    a row for each replication: the values of its axes as JSON, its seed, its metrics

Each chunk of replications is a transaction.  So a killed sweep has every chunk that had come back,
and the next one makes only what is missing.  `sqlite3 FILE` may look on meanwhile.
"""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from hgeisim.errors import InputError, Problem
from hgeisim.runs.atomic_folder import put_new_file, why_not_writable
from hgeisim.study.metrics import METRICS
from hgeisim.study.replication import Record

APPLICATION = 0x68676569
"""In the head of the file: "hgei"."""
FORMAT = "hgeisim sweep 1"
_MAGIC = b"SQLite format 3\0"
_APPLICATION_AT = 68
SCHEMA = f"""
PRAGMA application_id = {APPLICATION};
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE runs (
    point TEXT NOT NULL,
    seed INTEGER NOT NULL,
    warm_up_ns INTEGER NOT NULL,
    findings TEXT NOT NULL,
    {", ".join(f"{name} REAL" for name in METRICS)},
    PRIMARY KEY (point, seed)
);
"""

ASKED = "point = ? AND seed BETWEEN ? AND ?"
"""The replications of a point that are asked for: a file may have more."""
NOT_NUMBERS = " OR ".join(
    f"typeof({name}) NOT IN ('real', 'integer', 'null') OR abs({name}) > 1e300" for name in METRICS
)


class Store:
    """An open file; `made` counts the replications that were added since it was opened."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path, self.connection, self.made = path, connection, 0

    def seeds(self, point: str) -> set[int]:
        """The seeds whose replications of a point are there."""
        rows = self.connection.execute("SELECT seed FROM runs WHERE point = ?", (point,))
        return {seed for (seed,) in rows}

    def warm_up_ns(self, point: str) -> int | None:
        """The warm-up of the replications of a point; None if there is none."""
        query = "SELECT warm_up_ns FROM runs WHERE point = ? LIMIT 1"
        found = self.connection.execute(query, (point,)).fetchone()
        return None if found is None else int(found[0])

    def add(self, rows: Iterable[tuple[tuple[str, int, int], Record]]) -> None:
        """Add replications, all or none: each with its point, seed and warm-up."""
        marks = ", ".join("?" * (4 + len(METRICS)))
        written = [
            (*key, json.dumps(record.findings), *(record.values[name] for name in METRICS))
            for key, record in rows
        ]
        with self.connection:
            self.connection.executemany(f"INSERT INTO runs VALUES ({marks})", written)  # noqa: S608
        self.made += len(written)

    def values(self, point: str, metric: str, seeds: range) -> list[float]:
        """A metric of the replications of a point that have a value, by seed."""
        there = f"{ASKED} AND {metric} IS NOT NULL"
        query = f"SELECT {metric} FROM runs WHERE {there} ORDER BY seed"  # noqa: S608
        rows = self.connection.execute(query, (point, seeds[0], seeds[-1]))
        return [value for (value,) in rows]

    def findings(self, points: Sequence[str], seeds: range) -> dict[str, int]:
        """In how many replications of some points each finding was seen."""
        found: dict[str, int] = {}
        for point in points:
            query = f"SELECT findings FROM runs WHERE {ASKED} AND findings != '[]'"  # noqa: S608
            for (text,) in self.connection.execute(query, (point, seeds[0], seeds[-1])):
                for each in json.loads(text):
                    found[each] = found.get(each, 0) + 1
        return dict(sorted(found.items()))

    def rows(self, points: Iterable[str], seeds: range) -> Iterator[dict[str, Any]]:
        """The replications of some points, with the axes as columns, by seed."""
        for point in points:
            query = f"SELECT * FROM runs WHERE {ASKED} ORDER BY seed"  # noqa: S608
            cursor = self.connection.execute(query, (point, seeds[0], seeds[-1]))
            names = [column[0] for column in cursor.description]
            for row in cursor:
                found = dict(zip(names, row, strict=True))
                findings = " ".join(json.loads(found.pop("findings")))
                del found["point"]
                yield json.loads(point) | found | {"findings": findings}


@contextmanager
def opened(path: Path, about: Mapping[str, str]) -> Iterator[Store]:
    """Open the file of a sweep, or make it; `about` is what it must be about.

    InputError: it is not the file of a sweep, is damaged, is about another sweep, or another
    process writes to it; then it stays as it is.
    """
    if not os.path.lexists(path):
        _make(path, about)
    _check_head(path)
    lock = os.open(path, os.O_RDONLY)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _wrong(path, "another command is writing to it", "wait until it ends") from None
        try:
            _check_content(path, about)
            with closing(sqlite3.connect(path)) as connection:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = NORMAL")
                yield Store(path, connection)
        except sqlite3.Error as error:
            raise _damaged(path, error) from None
    finally:
        os.close(lock)  # not before: it would drop the locks of SQLite


def _make(path: Path, about: Mapping[str, str]) -> None:
    """Make an empty file, whole or not at all."""
    if why := why_not_writable(path):
        raise InputError([Problem(str(path), "", "", f"cannot be written: {why}")])
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(SCHEMA)
        connection.executemany("INSERT INTO meta VALUES (?, ?)", about.items())
        connection.commit()
        put_new_file(path, connection.serialize())


def _check_head(path: Path) -> None:
    """Look at the first bytes, before SQLite does."""
    try:
        if not path.is_file():
            raise _wrong(path, "must be a file")
        with path.open("rb") as file:
            head = file.read(100)
    except OSError as error:
        raise _wrong(path, f"cannot be read: {error.strerror}") from None
    ours = head[_APPLICATION_AT : _APPLICATION_AT + 4] == APPLICATION.to_bytes(4, "big")
    if not (head.startswith(_MAGIC) and ours):
        raise _wrong(path, "is not the file of a sweep", "name another one with --out")


def _check_content(path: Path, about: Mapping[str, str]) -> None:
    """Look at the rest, without writing."""
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
        found = connection.execute("PRAGMA quick_check(1)").fetchone()
        if found != ("ok",):
            raise _damaged(path, sqlite3.DatabaseError(found[0]))
        meta = dict(connection.execute("SELECT name, value FROM meta"))
        query = f"SELECT point, seed FROM runs WHERE {NOT_NUMBERS} LIMIT 1"  # noqa: S608
        if odd := connection.execute(query).fetchone():
            raise _damaged(path, sqlite3.DatabaseError(f"no number in a metric of {odd}"))
    for name, value in about.items():
        if meta.get(name) != value:
            allowed = f"belongs to another sweep: its {name} is {_short(meta.get(name))}, not "
            raise _wrong(path, f"{allowed}{_short(value)}", "name another one with --out")


def _short(text: str | None) -> str:
    return "missing" if text is None else text if len(text) <= 80 else f"{text[:77]}..."


def _damaged(path: Path, error: Exception) -> InputError:
    return _wrong(path, f"is damaged: {error}", "nothing was changed")


def _wrong(path: Path, allowed: str, remedy: str = "") -> InputError:
    return InputError([Problem(str(path), "", "", allowed, remedy)])
