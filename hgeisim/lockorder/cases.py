"""Case files: small programs of threads that take locks, each with the verdict it must get.

A file is a JSON list of cases.  Threads run one after another, each completely; the validator is
fresh for each case.  What a case says besides the keys that are read here is for people.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hgeisim.document import json_of
from hgeisim.errors import InputError, Problem
from hgeisim.lockorder.case_field import Field
from hgeisim.lockorder.case_ops import OPERATIONS, Operation, Takes
from hgeisim.lockorder.classes import KINDS
from hgeisim.lockorder.config import Config
from hgeisim.lockorder.reclaim import GFP
from hgeisim.user_file import read_text


@dataclass(frozen=True)
class Thread:
    """One thread and what it does."""

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
    name; `fails_at` is where the first violation shows, if the file says so.  `group` is what it
    is counted with.
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
    """The cases of a file; InputError holds the problems of all its cases, with their places."""
    file = str(path)
    return cases_from(json_of(read_text(path), file), file)


def cases_from(document: Any, file: str = "cases") -> tuple[Case, ...]:
    """The cases of a document in memory; `file` is how problems call it."""
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
    return Case(
        id=name,
        in_scope=field.at("scope", "in").one_of(("in", "out")) == "in",
        config=_config(field),
        kinds=kinds,
        keys=_keys(field.at("classes", {}), kinds),
        threads=tuple(_thread(each, kinds) for each in field.at("threads").items()),
        violation=_violation(field),
        reports_min=field.at("min_reports", 0).whole(),
        fails_at=_place(field.at("fail_at", None)),
        group=field.at("group", "other").text(),
    )


def _config(field: Field) -> Config:
    config, mode = field.at("config", {}), field.at("read_lock_mode", "queued")
    return Config(
        raw_nesting=config.at("prove_raw_lock_nesting", True).flag(),
        preempt_rt=config.at("preempt_rt", False).flag(),
        queued_rwlocks=mode.one_of(("queued", "recursive")) == "queued",
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
    """An operation: its name, what it takes, then a table of options."""
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
    return {option: _option(each, option, kinds) for option, each in field.entries().items()}


def _option(field: Field, option: str, kinds: dict[str, str]) -> Any:
    if option == "nest":
        return field.one_of(kinds)
    return field.flag() if option == "threaded" else field.whole()
