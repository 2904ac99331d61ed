"""Case files: small programs of threads that take locks, each with the verdict it must get.

A file is a JSON list of cases.  Threads run one after another, each completely; the validator is
fresh for each case.  Keys of a case that are not read here are for people.  `Field` keeps a value
together with its place in the file, so that a mistake can be reported in full.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from hgeisim.document import json_of
from hgeisim.errors import InputError, Problem
from hgeisim.lockorder.cases.operations import OPERATIONS, Operation, Takes
from hgeisim.lockorder.graph.lock_class import KINDS
from hgeisim.lockorder.rules.pseudo_locks import GFP
from hgeisim.lockorder.rules.wait_context import Config
from hgeisim.user_file import read_text

_MISSING = object()
_SHOWN_MAX = 60


@dataclass(frozen=True)
class Field:
    """A part of a document: `where` is the way to it, such as `[3] (AA.mutex).threads[0]`.

    Every reader returns the value in its type, or raises InputError with one problem.
    """

    file: str
    where: str
    value: Any

    def at(self, key: str, default: Any = _MISSING) -> Field:
        """The value of a key; without a default the key must be there."""
        where = f"{self.where}.{key}" if self.where else key
        return Field(self.file, where, self.table().get(key, default))

    def table(self) -> dict[str, Any]:
        """A JSON object."""
        return self.value if isinstance(self.value, dict) else self.wrong("must be an object")

    def entries(self) -> dict[str, Field]:
        """The values of a JSON object by key."""
        return {key: self.at(key) for key in self.table()}

    def items(self) -> list[Field]:
        """The elements of a JSON list."""
        if not isinstance(self.value, list):
            self.wrong("must be a list")
        places = (f"{self.where}[{number}]" for number in range(len(self.value)))
        return [Field(self.file, *each) for each in zip(places, self.value, strict=True)]

    def text(self) -> str:
        """A string that is not empty."""
        if isinstance(self.value, str) and self.value:
            return self.value
        return self.wrong("must be a name")

    def flag(self) -> bool:
        """A truth value."""
        return self.value if isinstance(self.value, bool) else self.wrong("must be true or false")

    def whole(self) -> int:
        """A whole number, 0 or more."""
        value = self.value
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
        return self.wrong("must be a whole number, 0 or more")

    def one_of(self, allowed: Collection[str]) -> str:
        """One of some names."""
        if isinstance(self.value, str) and self.value in allowed:
            return self.value
        return self.wrong(f"must be one of {', '.join(allowed)}" if allowed else "must be left out")

    def wrong(self, allowed: str) -> NoReturn:
        """Refuse the value."""
        if self.value is _MISSING:
            raise InputError([Problem(self.file, self.where, "", f"is missing; {allowed}")])
        shown = repr(self.value)
        shown = shown if len(shown) <= _SHOWN_MAX else shown[: _SHOWN_MAX - 3] + "..."
        raise InputError([Problem(self.file, self.where, shown, allowed)])


@dataclass(frozen=True)
class Thread:
    """One thread and its operations."""

    name: str
    ops: tuple[Operation, ...]


@dataclass(frozen=True)
class Place:
    """An operation of a case, both counted from 0."""

    thread: int
    op: int


@dataclass(frozen=True)
class Case:
    """A program with its verdict: the kind of its first violation, None when it has none.

    `kinds` is the type of each lock by its name, `keys` the class of those whose class has another
    name; `fails_at` is where the first violation shows, if the file says so.  Scores count the
    cases of a `group` together.
    """

    id: str
    in_scope: bool
    config: Config
    kinds: dict[str, str]
    keys: dict[str, str]
    threads: tuple[Thread, ...]
    violation: str | None
    reports_min: int
    fails_at: Place | None
    group: str = "other"


def read_cases(path: Path) -> tuple[Case, ...]:
    """The cases of a file; InputError lists the problems of all cases, with their places."""
    file = str(path)
    return cases_from(json_of(read_text(path), file), file)


def cases_from(document: Any, file: str = "cases") -> tuple[Case, ...]:
    """The cases of a document in memory; `file` is its name in problems."""
    cases: dict[str, Case] = {}
    problems: list[Problem] = []
    for field in Field(file, "", document).items():
        try:
            case = _case(field)
            if case.id in cases:
                field.at("id").wrong("must be unique")
            cases[case.id] = case
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    return tuple(cases.values())


def _case(unnamed: Field) -> Case:
    name = unnamed.at("id").text()
    field = Field(unnamed.file, f"{unnamed.where} ({name})", unnamed.value)
    types = field.at("lock_types").entries()
    kinds = {lock: each.one_of(KINDS) for lock, each in types.items()}
    config, mode = field.at("config", {}), field.at("read_lock_mode", "queued")
    return Case(
        id=name,
        in_scope=field.at("scope", "in").one_of(("in", "out")) == "in",
        config=Config(
            raw_nesting=config.at("prove_raw_lock_nesting", True).flag(),
            preempt_rt=config.at("preempt_rt", False).flag(),
            queued_rwlocks=mode.one_of(("queued", "recursive")) == "queued",
        ),
        kinds=kinds,
        keys=_keys(field.at("classes", {}), kinds),
        threads=tuple(_thread(each, kinds) for each in field.at("threads").items()),
        violation=_violation(field),
        reports_min=field.at("min_reports", 0).whole(),
        fails_at=_place(field.at("fail_at", None)),
        group=field.at("group", "other").text(),
    )


def _keys(field: Field, kinds: dict[str, str]) -> dict[str, str]:
    for lock in field.table():
        Field(field.file, field.where, lock).one_of(kinds)
    return {lock: each.text() for lock, each in field.entries().items()}


def _violation(field: Field) -> str | None:
    if field.at("expect").one_of(("pass", "fail")) == "pass":
        return None
    if field.at("scope", "in").value == "out" and field.at("violation", None).value is None:
        return "any"
    return field.at("violation").text()


def _place(field: Field) -> Place | None:
    if field.value is None:
        return None
    return Place(field.at("thread").whole(), field.at("op").whole())


def _thread(field: Field, kinds: dict[str, str]) -> Thread:
    field.at("context", "task").one_of(("task",))
    ops, saved = [], list[str]()
    for each in field.at("ops").items():
        op = _op(each, kinds)
        if op.name == "irq_save":
            saved.append(op.argument)
        if op.name == "irq_restore" and op.argument not in saved:
            each.wrong("must restore what an irq_save before it saved")
        ops.append(op)
    return Thread(field.at("name").text(), tuple(ops))


def _op(field: Field, kinds: dict[str, str]) -> Operation:
    """An operation: its name, its argument, then a table of options."""
    parts = field.items()
    if not parts:
        field.wrong("must name an operation")
    name = parts.pop(0).one_of(OPERATIONS)
    form = OPERATIONS[name]
    argument = ""
    if form.takes is not Takes.NOTHING:
        if not parts:
            field.wrong(f"{name} takes {form.takes.value}")
        argument = _argument(parts.pop(0), form.takes, kinds)
    options = _options(parts.pop(0), form.options, kinds) if parts else {}
    for surplus in parts:
        surplus.wrong(f"{name} takes nothing more")
    return Operation(name, argument, options)


def _argument(field: Field, takes: Takes, kinds: dict[str, str]) -> str:
    if takes in (Takes.FLAG, Takes.EVENT):
        return field.text()
    if takes is Takes.GFP:
        return field.one_of(GFP)
    lock = field.one_of(kinds)
    if takes is Takes.READERS and KINDS[kinds[lock]].readers is None:
        field.wrong(f"is a {kinds[lock]}, which has no readers")
    return lock


def _options(field: Field, known: tuple[str, ...], kinds: dict[str, str]) -> dict[str, Any]:
    for option in field.table():
        Field(field.file, field.where, option).one_of(known)
    readers = {"nest": lambda each: each.one_of(kinds), "threaded": Field.flag}
    entries = field.entries().items()
    return {option: readers.get(option, Field.whole)(each) for option, each in entries}
