"""Rules for writes: fields hold numbers, references stay, and stdout is left to the command."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

from hgeisim.machine.ops import Op
from hgeisim.machine.shared import Shared
from hgeisim.patchrules.fields import named_of
from hgeisim.patchrules.hidden_state import KINDS
from hgeisim.patchrules.mistake import Mistake
from hgeisim.patchrules.subject import Subject, is_kernel

CONTAINERS: dict[type[ast.expr], str] = {**KINDS, ast.Tuple: "a tuple", ast.JoinedStr: "a text"}
"""The kinds of objects, other than numbers, that some expressions make, whatever is in them."""
NUMBER = "write a number: 0 or -1 for none, 0 and 1 for false and true, the id for a vCPU"


class Write(NamedTuple):
    """A value that is written into an attribute of an object, or into an element of an array if
    `name` is None."""

    node: ast.AST
    owner: ast.expr
    name: str | None
    value: ast.expr | None


def fields_hold_numbers(subject: Subject) -> Iterator[Mistake]:
    """The values of fields and of elements of arrays are numbers."""
    for write in writes(subject):
        if _holds_number(subject, write) and (wrong := _no_number(subject, write.value)):
            shown = ast.unparse(write.node)
            yield Mistake(write.node, f"`{shown}` writes {wrong} where a number belongs", NUMBER)


def references_stay(subject: Subject) -> Iterator[Mistake]:
    """A path does not replace an object, an array or a lock by another one."""
    for write in () if subject.sets_up else writes(subject):
        owners = subject.of(write.owner) or ()
        if write.name and owners and all(_is_reference(each, write.name) for each in owners):
            shown = ast.unparse(write.node)
            text = f"`{shown}` replaces {write.name!r}, which is made once and must stay"
            remedy = "write its fields, or add a Field of your own for a number"
            if write.name in type(owners[0]).arrays:
                remedy = "write its elements, one after the other"
            yield Mistake(write.node, text, remedy)


def new_fields_are_fields(subject: Subject) -> Iterator[Mistake]:
    """An attribute of a struct of the patch that a path writes is declared as a `Field`."""
    for write in () if subject.sets_up else writes(subject):
        kinds = {type(each).__name__ for each in subject.of(write.owner) or ()}
        name = write.name or ""
        if kinds and all(_is_plain(subject, kind, name) for kind in kinds):
            text = f"`{ast.unparse(write.node)}` writes {name!r}, which a search does not see"
            yield Mistake(write.node, text, f"declare `{name}: Field`")


def _is_plain(subject: Subject, kind: str, name: str) -> bool:
    """Whether a patch declares an attribute of a struct without making it shared."""
    structs = (vars(vars(cls).get(kind, object)) for cls in subject.file.classes)
    declared = [each for each in structs if name in each.get("__annotations__", {})]
    return bool(declared) and not any(name in (*s["fields"], *s["arrays"]) for s in declared)


def writes(subject: Subject) -> Iterator[Write]:
    """The writes of a function into places that are not locals."""
    for node in subject.nodes:
        match node:
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    yield from _to(node, target, value)
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                yield from _to(node, target, value)
            case ast.AugAssign(target=target, value=value):
                yield from _to(node, target, value)
            case ast.Call():
                named = named_of(subject, node)
                if named and (named.number or named.value):
                    names = subject.of(named.field) or ()
                    if len(names) == 1 and isinstance(names[0], str):
                        yield Write(node, named.owner, names[0], named.value)


def _to(node: ast.AST, target: ast.expr, value: ast.expr) -> Iterator[Write]:
    match target:
        case ast.Attribute(value=owner, attr=name):
            yield Write(node, owner, name, value)
        case ast.Subscript(value=owner, slice=index) if not isinstance(index, ast.Slice):
            yield Write(node, owner, None, value)
        case ast.Tuple(elts=targets) | ast.List(elts=targets) if isinstance(value, ast.Tuple):
            if len(targets) == len(value.elts):
                for each, part in zip(targets, value.elts, strict=True):
                    yield from _to(node, each, part)


def _holds_number(subject: Subject, write: Write) -> bool:
    owner, name, kind = write.owner, write.name, "fields"
    if name is None:
        if not isinstance(owner, ast.Attribute):
            return False
        name, owner, kind = owner.attr, owner.value, "arrays"
    owners = subject.of(owner) or ()
    return bool(owners) and all(
        isinstance(each, Shared) and name in getattr(type(each), kind) for each in owners
    )


def _no_number(subject: Subject, value: ast.expr | None) -> str:
    """The kind of a value that is certainly not a whole number; empty if it may be one."""
    if value is None:
        return ""
    if type(value) in CONTAINERS:
        return CONTAINERS[type(value)]
    values = subject.of(value) or ()
    # One whole number among the alternatives is enough: a branch may exclude the others.
    numbers = (each for each in values if isinstance(each, int | float))
    if not values or any(each == each // 1 for each in numbers):
        return ""
    return f"`{ast.unparse(value)}`" if values[0] is not None else "None"


def _is_reference(owner: Any, name: str) -> bool:
    """Whether an attribute refers to an object that lives as long as its owner."""
    if not isinstance(owner, Shared) or name in type(owner).fields:
        return False
    value = getattr(owner, name, None)
    return name in type(owner).arrays or isinstance(value, Shared | Op) or is_kernel(value)


OURS = ("sys.stdout", "sys.__stdout__", "sys.stdout.buffer")


def stdout_is_not_written(subject: Subject) -> Iterator[Mistake]:
    """A patch does not call `sys.stdout.write(...)`, whose text would stand among the lines of the
    command, once for each step."""
    for node in subject.nodes:
        match node:
            case ast.Call(func=ast.Attribute(value=owner)) if ast.unparse(owner) in OURS:
                if subject.file.names.get("sys") is sys:
                    text = f"{ast.unparse(node.func)} writes into the output of the command"
                    remedy = "write `print(...)`, which goes to stderr, each text once"
                    yield Mistake(node, text, remedy)
